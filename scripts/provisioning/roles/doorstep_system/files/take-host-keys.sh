#!/bin/sh
# Puts the new SSH host keys in place, gives a new machine id, and remembers that both are its own.
# take-host-keys.sh HARDWARE   what tells this device from others; a card in another one starts without them
# Each file is replaced by a rename: a power cut leaves the old one or the new one.
set -eu
new=/etc/ssh/doorstep-new
for key in "$new"/etc/ssh/ssh_host_*; do
    mv -f "$key" /etc/ssh/
done
rm -rf "$new"
sync -f /etc/ssh
systemctl try-reload-or-restart ssh.service
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id.new
chmod 0444 /etc/machine-id.new
mv -f /etc/machine-id.new /etc/machine-id
mkdir -p /var/lib/dbus
ln -sf /etc/machine-id /var/lib/dbus/machine-id
mkdir -p /etc/doorstep
printf '%s\n' "$1" >/etc/doorstep/.identity
sync -f /etc
: >/run/doorstep-restart-wanted
