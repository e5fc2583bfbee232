#!/usr/bin/env bash
# mpiexec with a host for each rank: network namespaces of Linux, 1 Gbit/s and 0.2 ms from each
# other by benchmarks/links.py. For root, with the MPICH of PyPI.
#
#     python benchmarks/ranks.py 2 --mpiexec benchmarks/hosts.sh
#     RATE=10e9 DELAY=0.05e-3 benchmarks/hosts.sh -n 4 python train.py
set -euo pipefail
rate=${RATE:-1e9} delay=${DELAY:-0.2e-3} own=cnnlink
[ "${1:-}" = -n ] || { echo "usage: $0 -n RANKS COMMAND ..." >&2; exit 2; }
ranks=$2
shift 2
launcher=$(mktemp)
clean() {
    rm -f "$launcher"
    kill "$switch" 2> /dev/null || true
    for ((i = 1; i <= ranks; i++)); do ip netns del "cnn$i" 2> /dev/null || true; done
}
switch=
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

devices=("$own") hosts=()
for ((i = 1; i <= ranks; i++)); do
    ip netns add "cnn$i"
    devices+=("eth0@cnn$i")
    hosts+=("10.231.0.$i")
done
exec {said}< <(exec python3 "$(dirname "$0")/links.py" "$rate" "$delay" "${devices[@]}")
switch=$!
read -r -t 10 -u "$said"
up() { # a device, its number, and where it is
    "${@:3}" ip addr add "10.231.0.$2/24" dev "$1"
    "${@:3}" ip link set "$1" mtu 65000 up # frames so large that the switch has little to do
}
up "$own" 254
for ((i = 1; i <= ranks; i++)); do
    up eth0 "$i" ip netns exec "cnn$i"
    ip -n "cnn$i" link set lo up
done
mpiexec -localhost 10.231.0.254 -launcher ssh -launcher-exec "$launcher" \
    -hosts "$(IFS=,; echo "${hosts[*]}")" -genv UCX_TLS tcp -genv UCX_NET_DEVICES eth0 \
    -genv MPIR_CVAR_NOLOCAL 1 -n "$ranks" "$@"
