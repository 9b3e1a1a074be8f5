#!/usr/bin/env bash
# Becomes a device: this machine's files with a layer of its own above them, and systemd as pid 1.
# tests/system/systemd/running.py starts it in namespaces of its own (mount, pid, uts, ipc, network).
# boot.sh LAYER CGROUP REPOSITORY PYTHON SITE    LAYER lies in memory: it may not be below itself
set -euo pipefail

# shellcheck source=tests/support/devices.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../support/devices.sh"

# The clock, modules and raw ports are of the whole host.
WITHOUT=-sys_time,-sys_module,-sys_rawio,-syslog

# What is not of systemd is of this machine, and would be started a second time.
LEFT_OUT=(networkd resolved timesyncd udevd)

main() {
    local layer=$1 cgroup=$2 repository=$3 python=$4 site=$5 root=$1/root
    if [[ ${6:-} != inside ]]; then
        echo $$ >"$cgroup/cgroup.procs"
        exec unshare --cgroup "$0" "$@" inside
    fi
    mount --make-rprivate /
    mkdir -p "$layer/upper" "$layer/work" "$root"
    mount -t overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" overlay "$root"
    product "$root/opt/doorstep" "$repository" "$python" "$site"
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=0755 tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    make_devices "$root/dev"
    only_systemd "$root/etc/systemd"
    ip link set lo up
    ip address add 10.77.9.1/32 dev lo # sync reaches no 127.0.0.1
    cd "$root"
    pivot_root . . # in a chroot there are no user namespaces
    umount -l .
    exec setpriv --bounding-set "$WITHOUT" -- \
        /usr/bin/env -i container=doorstep-test PATH=/usr/sbin:/usr/bin TERM=dumb \
        /usr/lib/systemd/systemd --system
}

# Where the units expect it: these sources, by the Python that runs the tests.
product() {
    local place=$1 repository=$2 python=$3 site=$4 one
    rm -rf "$place"
    mkdir -p "$place/current/bin" "$place/source" "$place/python" "$place/site"
    mount --bind "$repository" "$place/source"
    mount --bind "$python" "$place/python"
    mount --bind "$site" "$place/site"
    for one in source python site; do
        mount -o remount,bind,ro "$place/$one" # an isolated Python would write bytecode there
    done
    cat >"$place/python.sh" <<'SH'
#!/bin/sh
export PYTHONHOME=/opt/doorstep/python LD_LIBRARY_PATH=/opt/doorstep/python/lib
export PYTHONPATH=/opt/doorstep/source:/opt/doorstep/source/tests/backend:/opt/doorstep/site
export PYTHONDONTWRITEBYTECODE=1
exec /opt/doorstep/python/bin/python3 "$@"
SH
    chmod +x "$place/python.sh"
    environment "$place/current" "$python"
}

# As install-release.sh makes it: an isolated Python finds the product, and sees what the system has.
environment() {
    local current=$1 python=$2 installs site
    installs=$(dirname "${BASH_SOURCE[0]}")/../../../scripts/provisioning/roles/doorstep_agent/files/install-release.sh
    site=$current/lib/$("$python/bin/python3" -I -c 'import sys; print("python%d.%d" % sys.version_info[:2])')/site-packages
    mkdir -p "$site"
    printf '/opt/doorstep/%s\n' source site >"$site/product.pth"
    printf 'home = /opt/doorstep/python/bin\ninclude-system-site-packages = true\n' >"$current/pyvenv.cfg"
    ln -s /opt/doorstep/python/bin/python3 "$current/bin/python3"
    cat >"$current/bin/python" <<'SH'
#!/bin/sh
export LD_LIBRARY_PATH=/opt/doorstep/python/lib
exec /opt/doorstep/current/bin/python3 "$@"
SH
    cat >"$current/bin/doorstep" <<'PY'
#!/opt/doorstep/current/bin/python
import sys
from agent.__main__ import main
sys.exit(main())
PY
    chmod +x "$current/bin/python" "$current/bin/doorstep"
    # The line that isolates the command, as a device has it
    release=$current sh -c "$(grep '^sed ' "$installs" || true)"
}

only_systemd() {
    local etc=$1 one
    rm -rf "$etc"/system/*.wants
    mkdir -p "$etc/journald.conf.d"
    printf '[Journal]\nStorage=volatile\n' >"$etc/journald.conf.d/volatile.conf"
    for one in "${LEFT_OUT[@]}"; do
        ln -sf /dev/null "$etc/system/systemd-$one.service"
    done
    ln -sfn /usr/lib/systemd/system/multi-user.target "$etc/system/default.target"
}

main "$@"
