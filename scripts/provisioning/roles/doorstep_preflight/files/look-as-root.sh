#!/bin/sh
# Says what is on a device already, and whether it is in use; it changes nothing.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd /
echo "uid=$(id -u)"
echo "kernel=$(uname -r)"
echo "room_mb=$(df -Pm / /opt /var 2>/dev/null | awk 'NR > 1 && (m == "" || $4 < m) { m = $4 } END { print m }')"
[ -e /run/doorstep-unfinished ] && echo "unfinished=yes"
config=/etc/doorstep/config.toml
if [ -e "$config" ] && [ -x /usr/bin/python3 ]; then
    echo "device=$(/usr/bin/python3 -I -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["device"]["id"])' "$config" 2>/dev/null)"
fi
state=/var/lib/doorstep
# A state that should be mounted and is not may have the certificate too: that one is not refused.
if [ -s "$state/keys/sync/tls.pem" ] || { [ -L /etc/systemd/system/local-fs.target.wants/var-lib-doorstep.mount ] &&
    ! mountpoint -q "$state"; }; then
    echo "enrolled=yes"
fi
capture=$(systemctl show -P ActiveState doorstep-capture 2>/dev/null)
if [ "$capture" = active ] || [ "$capture" = reloading ] || [ "$capture" = activating ]; then
    echo "capture=$capture"
    echo "restarts=$(systemctl show -P NRestarts doorstep-capture)"
    [ "$capture" = activating ] || echo "status=$(timeout 60 /usr/local/bin/doorstep status --json 2>/dev/null | head -n 1)"
    started=$(systemctl show -P ActiveEnterTimestampMonotonic doorstep-capture)
    echo "capture_s=$(awk -v s="${started:-0}" '{ printf "%d", $1 - s / 1000000 }' /proc/uptime)"
    run=$(systemctl show -P InvocationID doorstep-capture)
    [ -n "$run" ] && [ "$run" = "$(cat /run/doorstep-provisioned 2>/dev/null)" ] && echo "own_start=yes"
fi
for mark in /opt/doorstep/previous /run/doorstep-trial.json /run/doorstep-trial.begun; do
    { [ -e "$mark" ] || [ -L "$mark" ]; } && echo "trial=yes"
done
echo "trial_told=$(head -c 2000 /opt/doorstep/trial.json 2>/dev/null | head -n 1)"
current=$(readlink /opt/doorstep/current)
echo "release=${current##*/}"
echo "digest=$(head -c 64 /opt/doorstep/current/.complete 2>/dev/null)"
# A deploy deletes this before it copies: releases that are neither run nor wanted
echo "spare_mb=$(for one in /opt/doorstep/releases/*; do [ "$one" = "$current" ] || du -sm "$one"; done 2>/dev/null |
    awk '{ sum += $1 } END { print sum + 0 }')"
# As hardware/drivers/power_sysfs.py; nothing where no supply tells
for supply in /sys/class/power_supply/*; do
    case $(cat "$supply/type" 2>/dev/null) in
        Mains | USB* | Wireless) echo "external=$(cat "$supply/online" 2>/dev/null)" ;;
    esac
done | sort | tail -n 1
for serial in /sys/firmware/devicetree/base/serial-number /sys/class/dmi/id/product_uuid; do
    [ -r "$serial" ] && { echo "hardware=$(tr -d '\0\n' <"$serial" 2>/dev/null)"; break; }
done
grep -qs 'Raspberry Pi' /sys/firmware/devicetree/base/model && echo "pi=yes"
awk '/^MemTotal:/ { exit $2 < 600000 ? 0 : 1 }' /proc/meminfo && echo "small=yes"
[ -e /boot/firmware/config.txt ] && echo "firmware=/boot/firmware/config.txt"
[ -e /boot/firmware/cmdline.txt ] && echo "cmdline=/boot/firmware/cmdline.txt"
[ -n "$(swapon --noheadings --show=NAME 2>/dev/null)" ] && echo "swap=yes"
[ -e /etc/dphys-swapfile ] && echo "dphys=yes"
[ -d /etc/rpi ] && echo "rpi=yes"
[ -e /etc/fstab ] && echo "fstab=yes"
echo "autologin=$(grep -ls -e --autologin /etc/systemd/system/*getty@*.service.d/*.conf | tr '\n' ' ')"
echo "identity=$(cat /etc/doorstep/.identity 2>/dev/null)"
exit 0
