#!/usr/bin/env bash
# mpiexec with a host for each rank: network namespaces of Linux, joined by a bridge of 1 Gbit/s and,
# where the kernel has netem, 0.2 ms. For root, with the MPICH of PyPI.
#
#     python benchmarks/ranks.py 2 --mpiexec benchmarks/hosts.sh
#     RATE=10gbit DELAY=0.05ms benchmarks/hosts.sh -n 4 python train.py
set -euo pipefail
rate=${RATE:-1gbit} delay=${DELAY:-0.2ms} bridge=cnnbr
[ "${1:-}" = -n ] || { echo "usage: $0 -n RANKS COMMAND ..." >&2; exit 2; }
ranks=$2
shift 2
launcher=$(mktemp)
clean() {
    rm -f "$launcher"
    for ((i = 1; i <= ranks; i++)); do ip netns del "cnn$i" 2> /dev/null || true; done
    ip link del "$bridge" 2> /dev/null || true
}
trap clean EXIT

# What mpiexec starts in place of ssh: the options of that, a host, a command.
cat > "$launcher" << 'END'
#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "cnn${host##*.}" sh -c "$*"
END
chmod +x "$launcher"

limit() { # how fast a device sends
    local in=() device=$1
    [ $# = 1 ] || { in=(ip netns exec "$1") device=$2; }
    "${in[@]}" tc qdisc add dev "$device" root netem delay "$delay" rate "$rate" 2> /dev/null ||
        "${in[@]}" tc qdisc add dev "$device" root tbf rate "$rate" burst 128kb latency 50ms
}

ip link add "$bridge" type bridge
ip addr add 10.231.0.254/24 dev "$bridge"
ip link set "$bridge" up
hosts=()
for ((i = 1; i <= ranks; i++)); do
    ip netns add "cnn$i"
    ip link add "cnn$i" type veth peer name eth0 netns "cnn$i"
    ip link set "cnn$i" master "$bridge" up
    ip -n "cnn$i" addr add "10.231.0.$i/24" dev eth0
    ip -n "cnn$i" link set eth0 up
    ip -n "cnn$i" link set lo up
    limit "cnn$i" eth0
    hosts+=("10.231.0.$i")
done
mpiexec -localhost 10.231.0.254 -launcher ssh -launcher-exec "$launcher" \
    -hosts "$(IFS=,; echo "${hosts[*]}")" -genv UCX_TLS tcp -genv UCX_NET_DEVICES eth0 \
    -genv MPIR_CVAR_NOLOCAL 1 -n "$ranks" "$@"
