#!/bin/sh
# Runs on a device, as root: what is needed to repair it, as a tar.gz in base64.
# It changes nothing, but that doctor notes what it found.
# The parts are a chosen list; no place, code, stop, key or token is in any of it. So not: the
# configuration, the queue's rows, records, what gpsd or sshd say, the journal of earlier starts.
# A part that cannot be had says so in its own file, and the others come all the same.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C.UTF-8 SYSTEMD_PAGER='' SYSTEMD_COLORS=0
umask 077
cd /

PART_BYTES=2000000 # the newest of each; /run is memory

UNITS='doorstep* var-lib-doorstep.mount gpsd* chrony* systemd-timesyncd* nftables* ssh* unattended-upgrades*'

PACKAGES='gpsd chrony linux-image-* raspi-firmware libcamera* rpicam-* nftables openssh-server
    python3 python3-numpy python3-lgpio python3-picamera2 systemd udev'

main() {
    work=$(mktemp -d /run/doorstep-logs.XXXXXX) || exit 1
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    logs=$work/logs
    mkdir "$logs"
    part versions.txt versions
    part units.txt units
    part clock.txt clock
    part disk.txt disk
    part machine.txt machine
    part status.json timeout 60 /usr/local/bin/doorstep status --json
    part doctor.json timeout 120 /usr/local/bin/doorstep doctor --json
    part doorstep.log journalctl --quiet --boot --output short-iso-precise --unit 'doorstep*'
    part kernel.log journalctl --quiet --boot --dmesg --priority warning --output short-iso-precise
    leave_out_secrets
    tar -C "$work" -czf - logs | base64
}

part() {
    name=$1
    shift
    "$@" 2>&1 </dev/null | tail -c "$PART_BYTES" >"$logs/$name"
}

versions() {
    echo "release: $(readlink /opt/doorstep/current || echo none)"
    ls /opt/doorstep/releases
    sed -n 's/^PRETTY_NAME=//p' /etc/os-release
    cat /etc/debian_version
    uname -srvm
    tr -d '\0' 2>/dev/null </sys/firmware/devicetree/base/model && echo
    # shellcheck disable=SC2086  # patterns, of dpkg
    set -f && dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\n' $PACKAGES
}

# shellcheck disable=SC2086  # patterns, of systemctl
units() (
    set -f
    systemctl list-units --all --no-pager $UNITS
    systemctl status --no-pager --lines 0 'doorstep*'
    systemctl show --property Id,Result,NRestarts,ExecMainStatus,ExecMainStartTimestamp,MemoryCurrent,CPUUsageNSec \
        'doorstep*'
)

clock() {
    date --utc
    cut -d ' ' -f 1 /proc/uptime
    timedatectl show
    timeout 10 chronyc -n tracking
    timeout 10 chronyc -n sources
}

# Counts and sizes: names of records are in doorstep.log.
disk() {
    state=/var/lib/doorstep
    df --human-readable / /opt "$state" /run
    df --inodes / "$state"
    findmnt --raw --noheadings --output TARGET,FSTYPE,OPTIONS --target "$state"
    lsblk --output NAME,SIZE,TYPE,FSTYPE,RO,MOUNTPOINTS
    for folder in records torn queue; do
        echo "$folder: $(find "$state/$folder" -type f 2>/dev/null | wc -l) files"
    done
}

machine() {
    uptime
    free --mebi
    grep -s . /sys/class/thermal/thermal_zone*/temp /sys/class/power_supply/*/capacity \
        /sys/class/power_supply/*/online /sys/class/hwmon/*/in0_lcrit_alarm
    timeout 10 vcgencmd get_throttled
    ls /dev/video* /dev/media* /dev/gpiochip* /dev/serial0 /dev/rtc*
}

# A second net: none was ever in these parts, and a part in which one is must not leave the device.
# A place has a number: a manifest's refusal names `lat_deg` too, and is what must be corrected.
leave_out_secrets() {
    grep -lE 'PRIVATE KEY|AGE-SECRET-KEY-|lat_deg["'\'']* *[:=] *-?[0-9]|eyJ[A-Za-z0-9_-]{16,}[.]' "$logs"/* |
        while read -r file; do
            echo "left out: a key, a token or a place was in it; tell who makes Doorstep" >"$file"
        done
}

main
