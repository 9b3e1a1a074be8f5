#!/usr/bin/env bash
# Makes a small Debian 13 root from the apt sources and settings of this machine; as root.
# scripts/debian.sh ROOT ARCHITECTURE PACKAGE,PACKAGE... [OPTION...]   OPTION: mmdebstrap's own
# scripts/debian.sh --sources   prints the sources that it uses
# Other scripts source it and call make_debian with the same arguments.
# SUITE=bookworm takes Debian 12 from the same mirror; scripts/test --all needs its Python 3.11.
#
# The root takes from this machine what is needed to fetch packages: the sources that offer
# Debian 13, keys, passwords, apt's Acquire settings (a proxy, for example) and the local
# certificate authorities. It takes neither pins nor other settings of apt: they are about the
# packages of this machine, and may call programs that the root does not have.

DEBIAN_SH=$(realpath "${BASH_SOURCE[0]}")

# Without ca-certificates among the packages, the root's apt cannot use an https mirror.
make_debian() {
    local root=$1 architecture=$2 packages=$3 suite=${SUITE:-trixie} settings ended=0
    shift 3
    command -v mmdebstrap >/dev/null || {
        echo "mmdebstrap is missing: apt-get install mmdebstrap" >&2
        return 2
    }
    settings=$(mktemp -d)
    debian_sources | sed "s/trixie/$suite/g" >"$settings/machine.sources" &&
        acquire_settings "$settings" >"$settings/acquire.conf" &&
        mmdebstrap --quiet --variant=minbase --arch="$architecture" --include="$packages" \
            --aptopt="$settings/acquire.conf" --setup-hook="'$DEBIAN_SH' --hand-on \"\$1\"" \
            "$@" "$suite" "$root" "$settings/machine.sources" || ended=$?
    rm -rf "$settings"
    return "$ended"
}

debian_sources() {
    "${PYTHON:-python3}" -I "${DEBIAN_SH%.sh}_sources.py"
}

# Prints apt's settings that differ from its default, except programs that look for a proxy: the root
# does not have them. mmdebstrap wants a file that is not empty.
acquire_settings() {
    local settings=$1
    echo 'Dir::Etc "/nonexistent";' >"$settings/defaults.conf"
    APT_CONFIG=$settings/defaults.conf apt-config dump >"$settings/defaults" 2>/dev/null
    echo "// From the machine that made this root"
    apt-config dump | grep '^Acquire' | grep -vxF -f "$settings/defaults" |
        grep -vi 'Proxy-\?Auto-\?Detect' || true
}

# mmdebstrap calls it before it fetches anything.
hand_on() {
    local root=$1 path
    for path in /etc/apt/{auth.conf,auth.conf.d,keyrings,trusted.gpg,trusted.gpg.d} \
        /usr/share/keyrings /usr/local/share/ca-certificates; do
        [[ ! -e $path ]] || cp -a --parents "$path" "$root"
    done
}

debian_command() {
    case ${1:---help} in
        --help | -h) sed -n '2,/^$/s/^# \{0,1\}//p' "$DEBIAN_SH" ;;
        --sources) debian_sources ;;
        --hand-on) hand_on "$2" ;;
        -*)
            echo "$1 is not an option; see scripts/debian.sh --help" >&2
            return 2
            ;;
        *)
            (($# >= 3)) || {
                echo "scripts/debian.sh needs ROOT, ARCHITECTURE and PACKAGES; see --help" >&2
                return 2
            }
            make_debian "$@"
            ;;
    esac
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    set -euo pipefail
    debian_command "$@"
fi
