#!/bin/sh
# Makes new SSH host keys beside the ones in use, once; prints their public halves.
set -eu
new=/etc/ssh/doorstep-new
mkdir -p "$new/etc/ssh"
chmod 0700 "$new"
ssh-keygen -q -A -f "$new" >/dev/null
sync -f "$new"
cat "$new"/etc/ssh/ssh_host_*_key.pub
