#!/usr/bin/env bash
# horovodrun on two hosts that are namespaces of this machine, a process each:
#     sudo tools/two_hosts.sh python -m train.TASK ...
# Each host has a name, an interface `host0` with an address, half of the cores, and reaches the
# other over a virtual cable; what stands for ssh enters the other. `horovodrun` must be in PATH.
set -euo pipefail

bin=$(mktemp -d)
names=("glore-$$-1" "glore-$$-2")
cleanup() {
    for name in "${names[@]}"; do
        ip netns del "$name" 2>/dev/null || true
        rm -rf "/etc/netns/$name" # what `ip netns exec` puts in the place of /etc/hosts
    done
    rm -rf "$bin"
}
trap cleanup EXIT

half=$(($(env -u OMP_NUM_THREADS nproc) / 2)) # nproc would count the user's threads
cores=("0-$((half - 1))" "$half-$((2 * half - 1))")
for i in 0 1; do
    ip netns add "${names[i]}"
    mkdir -p "/etc/netns/${names[i]}"
    printf '127.0.0.1 localhost\n10.77.0.1 %s\n10.77.0.2 %s\n' "${names[@]}" \
        > "/etc/netns/${names[i]}/hosts"
    # Gloo asks for the address of its host's name, which must not be a loopback's.
    cat > "$bin/host$i" <<END
#!/usr/bin/env bash
exec ip netns exec ${names[i]} unshare --uts taskset -c ${cores[i]} \
    sh -c 'hostname ${names[i]} && exec "\$@"' - "\$@"
END
done
cat > "$bin/ssh" <<'END'
#!/usr/bin/env bash
# ssh [-o OPTION]... HOST [-o OPTION]... COMMAND
while [ "$1" = -o ]; do shift 2; done
shift
while [ "$1" = -o ]; do shift 2; done
exec host1 sh -c "$*"
END
chmod +x "$bin"/*
ip link add host0 netns "${names[0]}" type veth peer name host0 netns "${names[1]}"
for i in 0 1; do
    ip -n "${names[i]}" address add "10.77.0.$((i + 1))/24" dev host0
    ip -n "${names[i]}" link set host0 up
    ip -n "${names[i]}" link set lo up
done
PATH="$bin:$PATH" OMP_NUM_THREADS=$half "$bin/host0" \
    horovodrun -np 2 -H "${names[0]}:1,${names[1]}:1" --network-interfaces host0 "$@"
