"""A switch of Ethernet with slow and long cables, for machines whose kernel has no netem.

    python benchmarks/links.py BITS_PER_SECOND SECONDS DEVICE[@NAMESPACE] ...

makes a TAP device for each (ip-netns(8) has made the namespaces), and hands each frame on once a
cable of that rate has taken it in and the latency is over. It ends when it is told to, and the
devices with it. For root.
"""

import ctypes
import fcntl
import heapq
import os
import select
import struct
import sys
import time
from contextlib import suppress
from typing import IO

TUNSETIFF, TAP, NO_HEADER = 0x400454CA, 0x0002, 0x1000
CLONE_NEWNET, PR_SET_TIMERSLACK = 0x40000000, 29
LARGEST_FRAME = 1 << 17
#: Seconds before a frame is due from which on the clock is looked at: what waking up takes.
AWAKE = 60e-6

libc = ctypes.CDLL(None, use_errno=True)


def enter(namespace: IO[bytes]) -> None:
    """Have the devices that this process makes be in a namespace."""
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), f"setns of {namespace.name}")


def tap(name: str) -> int:
    """A new TAP device: what is sent to it is read here, and what is written here it receives."""
    device, _, namespace = name.partition("@")
    path = f"/run/netns/{namespace}" if namespace else "/proc/self/ns/net"
    with open("/proc/self/ns/net", "rb") as own, open(path, "rb") as other:
        enter(other)
        port = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(port, TUNSETIFF, struct.pack("16sH22x", device.encode(), TAP | NO_HEADER))
        enter(own)
    return port


def switch(ports: list[int], rate: float, latency: float) -> None:
    """Hand on frames, for ever."""
    of_address: dict[bytes, int] = {}
    free_from = dict.fromkeys(ports, 0.0)  # when the cable of a port can take the next frame
    due: list[tuple[float, int, bytes, list[int]]] = []
    taken = 0
    while True:
        until = due[0][0] - time.perf_counter() - AWAKE if due else 1.0
        for port in select.select(ports, [], [], max(0.0, until))[0]:
            frame, now = os.read(port, LARGEST_FRAME), time.perf_counter()
            of_address[frame[6:12]] = port
            to = of_address.get(frame[:6])
            free_from[port] = max(free_from[port], now) + 8 * len(frame) / rate
            ports_to = [one for one in ports if one != port] if to is None else [to]
            heapq.heappush(due, (free_from[port] + latency, taken, frame, ports_to))
            taken += 1
        while due and due[0][0] <= time.perf_counter():
            _, _, frame, ports_to = heapq.heappop(due)
            for port in ports_to:
                with suppress(OSError):  # of a device that is down, or full: frames may be lost
                    os.write(port, frame)


def main() -> None:
    rate, latency, *names = sys.argv[1:]
    ports = [tap(name) for name in names]
    libc.prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0)
    print("ready", flush=True)
    switch(ports, float(rate), float(latency))


if __name__ == "__main__":
    main()
