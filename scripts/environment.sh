#!/usr/bin/env bash
# Makes the Python environment in .venv, once for each state of what names its packages.
# Sourced by the other scripts: `use_environment` leaves its Python in $python.
# `use_any_python` leaves one there for what needs no package, and makes no environment.
# PYTHON chooses another interpreter than python3; DOORSTEP_VENV another folder than .venv.

BACKEND=tests/backend
FACE_MODEL=$BACKEND/doorstep_backend/copies/model.txt

use_environment() {
    local root venv stamp
    root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    venv=${DOORSTEP_VENV:-$root/.venv}
    # shellcheck disable=SC2034  # for the script that sources this one
    python=$venv/bin/python
    stamp=$(cat "$root/pyproject.toml" "$root/$BACKEND/pyproject.toml" "$root/constraints.txt" \
        "$root/$FACE_MODEL" | cksum)
    if [[ -f $venv/doorstep.stamp && $(<"$venv/doorstep.stamp") == "$stamp" ]]; then
        return
    fi
    echo "Making the environment in ${venv#"$root"/} (once, about a minute) ..." >&2
    make_environment "$root" "$venv"
    echo "$stamp" >"$venv/doorstep.stamp"
}

use_any_python() {
    python=${DOORSTEP_VENV:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.venv}/bin/python
    [[ -x $python ]] || {
        python=${PYTHON:-python3}
        refuse_old "$python"
    }
}

refuse_old() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        echo "Python 3.11 or newer is needed; $1 is $("$1" --version 2>&1)." >&2
        echo "Set PYTHON to a newer one." >&2
        return 2
    }
}

make_environment() {
    local root=$1 venv=$2 base=${PYTHON:-python3} log site=()
    refuse_old "$base" || return
    if "$base" -I -c 'import picamera2' 2>/dev/null; then
        site=(--system-site-packages)  # on a Pi it comes from apt
    fi
    "$base" -I -m venv "${site[@]}" "$venv" || {
        echo "$base cannot make an environment. On Debian: apt install python3-venv" >&2
        return 2
    }
    log=$venv/install.log
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    {
        "$venv/bin/python" -I -m pip install --only-binary :all: --require-hashes -r "$root/constraints.txt" &&
            "$venv/bin/python" -I -m pip install --no-index --no-deps --no-build-isolation \
                -e "$root" -e "$root/$BACKEND" &&
            "$venv/bin/python" -I -m pip install --no-deps --require-hashes -r "$root/$FACE_MODEL"
    } >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        echo "The packages could not be installed; the whole log is in $log" >&2
        return 2
    }
}
