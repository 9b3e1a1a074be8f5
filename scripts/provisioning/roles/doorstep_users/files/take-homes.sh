#!/bin/sh
# Users that a release until 2026.11.7 made have the state folder as their home: what capture leaves
# there, the programs of the others would load. Prints "taken" if it changes that.
set -eu
if grep -q '^doorstep-.*:/var/lib/doorstep:' /etc/passwd; then
    # usermod refuses while a process of the user runs. vipw compares times in whole seconds.
    VISUAL="sleep 1; sed -i '/^doorstep-/s,:/var/lib/doorstep:,:/nonexistent:,'" vipw -q >/dev/null
    echo taken
fi
