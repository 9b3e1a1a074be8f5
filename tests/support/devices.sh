#!/usr/bin/env bash
# Sourced by what becomes a machine, before it leaves this host's files.

# What a systemd wants to find in /dev, made in DEV.
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
