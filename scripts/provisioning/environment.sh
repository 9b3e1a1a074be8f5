#!/usr/bin/env bash
# Makes .venv-provision with ansible-core, once for each state of controller.txt.
# Sourced: `use_provision_environment` leaves the folder of its commands in $provision_bin.
# PYTHON chooses another interpreter than python3; DOORSTEP_PROVISION_VENV another folder.

use_provision_environment() {
    local root venv stamp
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    venv=${DOORSTEP_PROVISION_VENV:-$root/.venv-provision}
    # shellcheck disable=SC2034  # for the script that sources this one
    provision_bin=$venv/bin
    stamp=$(cksum <"$root/scripts/provisioning/controller.txt")
    if [[ -f $venv/doorstep.stamp && $(<"$venv/doorstep.stamp") == "$stamp" ]]; then
        return
    fi
    echo "Making the environment in ${venv#"$root"/} (once, about half a minute) ..." >&2
    make_provision_environment "$root" "$venv"
    echo "$stamp" >"$venv/doorstep.stamp"
}

make_provision_environment() {
    local root=$1 venv=$2 base=${PYTHON:-python3} log
    "$base" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Python 3.11 or newer is needed; $base is $("$base" --version 2>&1)." >&2
        echo "Set PYTHON to a newer one." >&2
        return 2
    }
    "$base" -I -m venv "$venv" || {
        echo "$base cannot make an environment. On Debian: apt install python3-venv" >&2
        return 2
    }
    log=$venv/install.log
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore "$venv/bin/python" -I -m pip install \
        --require-hashes -r "$root/scripts/provisioning/controller.txt" >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "ansible-core could not be installed; the whole log is in $log" >&2
        return 2
    }
}
