#!/usr/bin/env bash
# The common part of scripts/provision, scripts/deploy and scripts/collect-logs: words, environment,
# a run.
# Sourced. The script that sources it has `own_option`, which takes an option of its own and sets $used.

# shellcheck source=scripts/help.sh
source "$(dirname "${BASH_SOURCE[0]}")/../help.sh"

inventory=fleet.yml hosts=() more=() retry=no used=1

# parse_command ARGS...   leaves $inventory, $hosts, $retry, and in $more what stood behind --
parse_command() {
    while (($# > 0)); do
        used=1
        case $1 in
            -i | --inventory)
                (($# > 1)) || {
                    echo "$1 needs a file: scripts/${0##*/} -i fleet.yml" >&2
                    return 2
                }
                inventory=$2 used=2
                ;;
            --retry) retry=yes ;;
            --)
                shift
                more=("$@")
                return
                ;;
            -h | --help) print_help ;;
            -*) own_option "$@" || return ;;
            *) hosts+=("$1") ;;
        esac
        shift "$used"
    done
}

no_such_option() {
    refuse_word "$1 is not an option here; after -- it goes to ansible-playbook"
}

# look_at_inventory ROOT LIST [VERSION]   LIST is who is to be tried again; ends the command where
# none is, or where it is another inventory's or another version's
look_at_inventory() {
    local root=$1 list=$2 version=${3:-}
    kept=${DOORSTEP_PROVISION_DIR:-$root/build/provision}
    [[ -e $inventory ]] || {
        echo "$inventory: there is no such inventory; copy scripts/provisioning/fleet.example.yml" >&2
        return 2
    }
    DOORSTEP_LIST_FOR="${version:+$version and }$(realpath -- "$inventory")"
    export DOORSTEP_LIST_FOR
    [[ $retry == no ]] || take_list "$kept/$list" || return
    # shellcheck source=scripts/provisioning/environment.sh
    source "$root/scripts/provisioning/environment.sh"
    use_provision_environment
    export ANSIBLE_CONFIG=$root/scripts/provisioning/ansible.cfg PYTHONDONTWRITEBYTECODE=1
    "$provision_bin/python" -I "$root/scripts/provisioning/inventory.py" "$inventory" "${hosts[@]}"
}

# take_list FILE   where its first line does not say for what it is, it is taken
take_list() {
    local written
    [[ -e $1 ]] || {
        echo "No run has come to its end yet: leave --retry out" >&2
        return 2
    }
    written=$(sed -n '1s/^# for //p' "$1")
    [[ ${written:-$DOORSTEP_LIST_FOR} == "$DOORSTEP_LIST_FOR" ]] || {
        echo "--retry has those of the last run, which was for $written; this is for" \
            "$DOORSTEP_LIST_FOR: say the same as then, or leave --retry out; nothing was touched" >&2
        return 2
    }
    names_somebody "$1" || {
        echo "Nothing to do: the last run left no device to try again." >&2
        exit 0
    }
    mapfile -t hosts < <(grep -v '^#' "$1")
}

names_somebody() {
    grep -q '^[^#]' "$1" 2>/dev/null
}

# play PLAYBOOK LIST AGAIN ARGS...   AGAIN is what to say where LIST has somebody afterwards
play() {
    local playbook=$1 list=$2 again=$3 limit="" ended=0
    shift 3
    mkdir -p "$kept"
    touch "$kept/began"
    limit=$(IFS=,; echo "${hosts[*]}")
    "$provision_bin/ansible-playbook" --inventory "$inventory" ${limit:+--limit "$limit"} \
        "$@" "${more[@]}" "$playbook" || ended=$?
    # A run that was broken off wrote none: the one that is there is older, and says nothing of it.
    if [[ $kept/$list -nt $kept/began ]] && names_somebody "$kept/$list"; then
        echo
        echo "$again"
    fi
    return "$ended"
}
