#!/usr/bin/env bash
# Puts these sources where the units expect the product, and leaves only systemd's own units.
# prepare.sh ROOT    tests/system/boot.sh runs it; REPOSITORY, PYTHON and SITE_PACKAGES are folders of the host
set -euo pipefail

# The other services of this machine would start a second time.
LEFT_OUT=(networkd resolved timesyncd udevd)

main() {
    local root=$1
    product "$root/opt/doorstep"
    only_systemd "$root/etc/systemd"
    ip link set lo up
    ip address add 10.77.9.1/32 dev lo # sync reaches no 127.0.0.1
}

# Where the units expect it: these sources, by the Python that runs the tests.
product() {
    local place=$1 one
    rm -rf "$place"
    mkdir -p "$place/current/bin" "$place/source" "$place/python" "$place/site"
    mount --bind "$REPOSITORY" "$place/source"
    mount --bind "$PYTHON" "$place/python"
    mount --bind "$SITE_PACKAGES" "$place/site"
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
    environment "$place/current"
}

# As install-release.sh makes it: an isolated Python finds the product, and sees what the system has.
environment() {
    local current=$1 installs site
    installs=$(dirname "${BASH_SOURCE[0]}")/../../../scripts/provisioning/roles/doorstep_agent/files/install-release.sh
    site=$current/lib/$("$PYTHON/bin/python3" -I -c 'import sys; print("python%d.%d" % sys.version_info[:2])')/site-packages
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
