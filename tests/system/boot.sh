#!/usr/bin/env bash
# Becomes a machine: mounts what Debian's systemd expects to find, and is systemd from then on.
# tests/system/container.py starts it in new namespaces (mount, pid, uts, ipc, network).
# boot.sh LOWER FOLDER CGROUP [PREPARE]
#   LOWER is the machine's root; FOLDER keeps what the machine writes, from boot to boot.
#   PREPARE is a command that is run with the mounted root before systemd starts.
set -euo pipefail

# The clock, modules and raw ports are of the whole host: no machine may change them.
WITHOUT=-sys_time,-sys_module,-sys_rawio,-syslog,-mac_admin,-mac_override

main() {
    local lower=$1 folder=$2 cgroup=$3 prepare=${4:-} root=$2/root
    if [[ ${5:-} != inside ]]; then
        echo $$ >"$cgroup/cgroup.procs"
        exec unshare --cgroup "$0" "$lower" "$folder" "$cgroup" "$prepare" inside
    fi
    mount --make-rprivate /
    mkdir -p "$folder/upper" "$folder/work" "$root"
    mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" overlay "$root"
    mount -t proc proc "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=0755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    make_devices "$root/dev"
    if [[ -n $prepare ]]; then
        "$prepare" "$root"
    fi
    # Not chroot: in one the kernel refuses the user namespaces that units ask for.
    cd "$root"
    pivot_root . .
    umount --lazy .
    exec setpriv --bounding-set "$WITHOUT" -- \
        /usr/bin/env -i container=doorstep-test PATH=/usr/sbin:/usr/bin TERM=dumb \
        /usr/lib/systemd/systemd --system
}

make_devices() {
    local dev=$1 one kind major minor
    mount -t tmpfs -o mode=0755 tmpfs "$dev"
    for one in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 loop-control:10:237; do
        IFS=: read -r kind major minor <<<"$one"
        mknod -m 0666 "$dev/$kind" c "$major" "$minor"
    done
    # The kernel names new ones in the host's /dev only.
    for ((minor = 0; minor < 64; minor++)); do
        mknod -m 0660 "$dev/loop$minor" b 7 "$minor"
    done
    mkdir "$dev/pts" "$dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$dev/pts"
    mount -t tmpfs -o mode=1777 tmpfs "$dev/shm"
    ln -s pts/ptmx "$dev/ptmx"
    ln -s /proc/self/fd "$dev/fd"
    ln -s /proc/self/fd/0 "$dev/stdin"
    ln -s /proc/self/fd/1 "$dev/stdout"
    ln -s /proc/self/fd/2 "$dev/stderr"
}

main "$@"
