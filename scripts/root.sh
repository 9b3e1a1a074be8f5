#!/usr/bin/env bash
# Runs commands as root that change users and mount disks. Sourced by scripts/test.

# become_root   leaves in $as_root what goes before a command that needs root
become_root() {
    as_root=()
    [[ $(id -u) != 0 ]] || return 0
    command -v sudo >/dev/null || {
        echo "scripts/test needs root here: run it as root, or as a user who may use sudo." >&2
        return 2
    }
    # -E keeps the settings that lead to packages; -H keeps root's files out of the user's home.
    as_root=(sudo -E -H)
}

# become_all_users   become_root, for a command that becomes other users: they must reach the
# current folder, which is often in a home that they may not enter
become_all_users() {
    local closed
    become_root
    if ((${#as_root[@]})); then
        echo "== the following tests run as root, by sudo: they mount disks and change users" >&2
        trap give_files_back EXIT
    fi
    closed=$(closed_folder)
    if [[ -n $closed ]]; then
        # shellcheck disable=SC2016  # the inner shell expands these
        as_root+=(unshare --mount bash -euc '
            here=$PWD
            mount --bind "$here" /mnt
            mount -t tmpfs -o mode=755 tmpfs "$1"
            mkdir -p "$here"
            mount --move /mnt "$here"
            cd "$here"
            shift
            exec "$@"' open "$closed")
    fi
}

# closed_folder   prints the uppermost folder above this one that other users may not enter
closed_folder() {
    local folder='' part parts
    IFS=/ read -ra parts <<<"$(dirname "$PWD")"
    for part in "${parts[@]:1}"; do
        folder+=/$part
        [[ $(stat -c %a "$folder") == *[1357] ]] || {
            echo "$folder"
            return
        }
    done
}

give_files_back() {
    sudo chown -R --from=root "$(id -un):" .
}
