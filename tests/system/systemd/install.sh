#!/usr/bin/env bash
# Does in a container what provisioning does on a device, and starts a backend.
# tests/system/systemd/running.py runs it.
set -euo pipefail

SOURCE=/opt/doorstep/source
BACKEND=/srv/backend
URL=https://10.77.9.1:9443

main() {
    files
    state
    backend
    configuration
    /usr/local/bin/doorstep enrol "$URL" --token /tmp/token
    rm /tmp/token
    systemctl start doorstep-capture doorstep-sync doorstep-serve
}

files() {
    mkdir -p /etc/sysusers.d /etc/tmpfiles.d /etc/polkit-1/rules.d /etc/doorstep
    cp "$SOURCE/systemd/doorstep.sysusers" /etc/sysusers.d/doorstep.conf
    cp "$SOURCE/systemd/doorstep.tmpfiles" /etc/tmpfiles.d/doorstep.conf
    cp "$SOURCE/systemd/doorstep.polkit" /etc/polkit-1/rules.d/50-doorstep.rules
    cp "$SOURCE"/systemd/*.service /etc/systemd/system/
    ln -sf /opt/doorstep/current/bin/doorstep /usr/local/bin/doorstep
}

# A file system of its own, as on a device.
state() {
    truncate -s 200M /tmp/state.ext4
    mkfs.ext4 -q -m 0 /tmp/state.ext4
    mkdir -p /var/lib/doorstep
    cat >/etc/systemd/system/var-lib-doorstep.mount <<'UNIT'
[Mount]
What=/tmp/state.ext4
Where=/var/lib/doorstep
Type=ext4
Options=loop,nosuid,nodev,noexec
UNIT
    systemctl daemon-reload
    systemctl start var-lib-doorstep.mount
    systemd-sysusers
    systemd-tmpfiles --create /etc/tmpfiles.d/doorstep.conf
}

backend() {
    local python=/opt/doorstep/python.sh
    cd "$SOURCE"
    systemd-run -q --unit backend -p "WorkingDirectory=$SOURCE" \
        "$python" -m doorstep_backend --port 9443 --data "$BACKEND" --name 10.77.9.1 --show-simulated
    # sync's unit may not reach 127.0.0.1, and the backend listens there only
    systemd-run -q --unit relay --socket-property=ListenStream=10.77.9.1:9443 \
        /usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:9443
    until [[ -e $BACKEND/fleet-key.pem ]] && (: </dev/tcp/10.77.9.1/9443) 2>/dev/null; do
        systemctl -q is-active backend || {
            journalctl --no-pager --unit backend >&2
            return 1
        }
        sleep 0.2
    done
    "$python" -m doorstep_backend --data "$BACKEND" devices add van-0042 | cut -d' ' -f2 >/tmp/token
    "$python" -m doorstep_backend --data "$BACKEND" devices names van-0042 van-0042.example.com
}

configuration() {
    cp "$BACKEND/ca/ca.pem" /etc/doorstep/fleet-ca.pem
    cp "$BACKEND/fleet-key.pem" /etc/doorstep/fleet-key.pem
    cat >/etc/doorstep/config.toml <<TOML
device.id = "van-0042"
identity = { mode = "required", ca = "fleet-ca.pem", fleet_key = "fleet-key.pem" }
policy.manifest = "off"
backend.url = "$URL"
camera = { kind = "simulated", width_px = 640, height_px = 360 }
buttons.kind = "simulated"
indicator.kind = "simulated"
lamp.kind = "simulated"
position.kind = "simulated"
power.kind = "sysfs"
clock.kind = "system"
simulated.world = "world.toml"
serve = { names = ["van-0042.example.com"], clients = ["dispatch"] }
TOML
    touch /etc/doorstep/world.toml
    chmod 0644 /etc/doorstep/*
}

main "$@"
