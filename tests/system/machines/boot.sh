#!/usr/bin/env bash
# Becomes a machine: mounts what a Debian's systemd wants to find, and is systemd from then on.
# tests/system/machines/machine.py starts it in namespaces of its own (mount, pid, uts, ipc, network).
# boot.sh IMAGE FOLDER CGROUP    FOLDER keeps what the machine writes, from boot to boot
set -euo pipefail

# shellcheck source=tests/support/devices.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../support/devices.sh"

# The clock, modules and raw ports are of the whole host: no machine may change them.
WITHOUT=-sys_time,-sys_module,-sys_rawio,-syslog,-mac_admin,-mac_override

main() {
    local image=$1 folder=$2 cgroup=$3 root=$2/root
    if [[ ${4:-} != inside ]]; then
        echo $$ >"$cgroup/cgroup.procs"
        exec unshare --cgroup "$0" "$@" inside
    fi
    mount --make-rprivate /
    mkdir -p "$folder/upper" "$folder/work" "$root"
    mount -t overlay -o "lowerdir=$image,upperdir=$folder/upper,workdir=$folder/work" overlay "$root"
    mount -t proc proc "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=0755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    make_devices "$root/dev"
    # Not chroot: in one the kernel refuses the user namespaces that units ask for.
    cd "$root"
    pivot_root . .
    umount --lazy .
    exec setpriv --bounding-set "$WITHOUT" -- \
        /usr/bin/env -i container=doorstep-test PATH=/usr/sbin:/usr/bin TERM=dumb \
        /usr/lib/systemd/systemd --system
}

main "$@"
