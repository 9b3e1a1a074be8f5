#!/bin/sh
# Refuses an SSH host key that is not the inventory's, before ssh logs in: it is ssh's KnownHostsCommand.
# host-key.sh KNOWN GIVEN OFFERED   the device's known_hosts here, and two fingerprints
# A run gives a device keys of its own, so that KNOWN has a second line; GIVEN says nothing about these.
[ "$3" = NONE ] || [ "$3" = "$2" ] || [ "$(sed -n 2p "$1" 2>/dev/null)" ]
