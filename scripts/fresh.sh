#!/usr/bin/env bash
# Runs commands in a new Debian 13 that has git, Python and sudo, and nothing else.
# Sourced by scripts/test, in the repository's folder; as root.
#
# A command sees no file, package or cache of this machine. It shares the kernel, the network, and
# the settings by which apt, pip and npm reach their packages. The system is built once and kept in
# FRESH_BASE for 30 days; each run works in a copy, which it deletes at the end, also when it is
# interrupted. A second run waits while the first one builds or copies the system.
# SUITE=bookworm takes Debian 12, for its Python 3.11.

# shellcheck source=scripts/debian.sh
source scripts/debian.sh

FRESH_NEEDS_MB=8000
FRESH_PACKAGES=ca-certificates,git,mount,passwd,python3,python3-venv,sudo
FRESH_BASE=${FRESH_BASE:-/var/cache/doorstep-fresh}/${SUITE:-trixie}

fresh='' fresh_child=''

# test_fresh [COMMAND]...   as an ordinary user who may use sudo; README's commands if there are none.
# Exits with 2 if this machine cannot build the system, and says what is missing.
test_fresh() {
    local commands=("$@") command
    [[ ${1:-} != -* ]] || unknown_option "$1" || exit
    (($#)) || mapfile -t commands < <(readme_commands "Try it" && readme_commands "Test it")
    ((${#commands[@]})) || {
        echo "README.md: the commands below \"Try it\" and \"Test it\" were not found" >&2
        exit 1
    }
    refuse_if_missing
    trap delete_fresh EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    copy_fresh
    for command in "${commands[@]}"; do
        in_fresh "$command"
    done
    echo "== fresh machine: everything passed" >&2
}

# readme_commands HEADING   the lines of the code blocks between this heading and the next
readme_commands() {
    sed -n "/^## $1\$/,/^## / { /^\`\`\`/,/^\`\`\`/ { /^\`\`\`/! p } }" README.md
}

refuse_if_missing() {
    local missing=() free_mb place=${TMPDIR:-/var/tmp}
    [[ $(id -u) == 0 ]] || missing+=("the rights of root: use sudo")
    command -v mmdebstrap >/dev/null || missing+=("mmdebstrap: apt install mmdebstrap")
    command -v unshare >/dev/null || missing+=("unshare: apt install util-linux")
    [[ ${missing[*]} ]] || unshare --mount --pid --fork true 2>/dev/null ||
        missing+=("the right to make namespaces (CAP_SYS_ADMIN)")
    free_mb=$(df --output=avail -BM "$place" | tail -n 1 | tr -dc 0-9)
    ((free_mb >= FRESH_NEEDS_MB)) ||
        missing+=("$FRESH_NEEDS_MB MB in $place, which has $free_mb MB: set TMPDIR to another folder")
    ((${#missing[@]} == 0)) || cannot_build "${missing[@]}"
}

cannot_build() {
    printf 'The fresh machine cannot be built here, because this is missing: %s\n' "$@" >&2
    exit 2
}

copy_fresh() {
    local root lock
    fresh=$(mktemp -d "${TMPDIR:-/var/tmp}/doorstep-fresh.XXXXXX")
    root=$fresh/root
    (umask 077 && mkdir -p "${FRESH_BASE%/*}") # others must not reach an old sudo in it
    exec {lock}>"$FRESH_BASE.lock"
    run_child flock "$lock"
    has_base || build_base
    cp -a "$FRESH_BASE" "$root"
    exec {lock}>&-
    chroot "$root" useradd --create-home --shell /bin/bash visitor
    echo 'visitor ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/visitor"
    copy_settings
    [[ -z $(git status --porcelain) ]] ||
        echo "== fresh machine: it gets the last commit, without your uncommitted changes" >&2
    git clone --quiet --no-hardlinks . "$root/home/visitor/doorstep"
    chroot "$root" chown -R visitor: /home/visitor
}

has_base() {
    [[ -d $FRESH_BASE && -f $FRESH_BASE.packages && $(<"$FRESH_BASE.packages") == "$FRESH_PACKAGES" ]] &&
        [[ $(find "$FRESH_BASE.packages" -mtime -30) ]]
}

build_base() {
    echo "== fresh machine: building Debian (kept in $FRESH_BASE)" >&2
    TMPDIR=$fresh run_child make_debian "$fresh/base" "$(dpkg --print-architecture)" \
        "$FRESH_PACKAGES" 2>"$fresh/log" || {
        tail -n 5 "$fresh/log" >&2
        cannot_build "a mirror of Debian that /etc/apt names and that answers"
    }
    rm -f "$FRESH_BASE.packages" # first and last, so that half a system never counts
    rm -rf --one-file-system "$FRESH_BASE"
    mv "$fresh/base" "$FRESH_BASE"
    echo "$FRESH_PACKAGES" >"$FRESH_BASE.packages"
}

# The settings by which pip and npm reach their packages.
copy_settings() {
    local file
    for file in /etc/pip.conf /etc/xdg/pip/* /etc/npmrc; do
        [[ ! -f $file ]] || install -D -m 644 "$file" "$fresh/root$file"
    done
    for file in .config/pip/pip.conf .pip/pip.conf .npmrc; do
        [[ ! -f ~/$file ]] || {
            install -D -m 600 ~/"$file" "$fresh/root/root/$file"
            install -D -m 600 ~/"$file" "$fresh/root/home/visitor/$file"
        }
    done
}

# in_fresh COMMAND   ends the script with the command's exit status if it fails
in_fresh() {
    local status=0
    echo "== fresh machine: $1" >&2
    SECONDS=0
    run_child enter_fresh "$fresh/root" "$1" </dev/null || status=$?
    echo "== fresh machine: $1: exit $status after $SECONDS s" >&2
    ((status == 0)) || exit "$status"
}

# run_child COMMAND...   in the background, so that bash handles a signal at once, and in a process
# group of its own, so that all of it can be killed
run_child() {
    local status=0
    set -m
    "$@" &
    fresh_child=$!
    set +m
    wait "$fresh_child" || status=$?
    fresh_child=''
    return "$status"
}

# The commands have a process table of their own, whose first process is the shell below: all
# others end with it. Its root is changed by pivot_root, because the tests make user namespaces,
# which the kernel refuses below chroot.
enter_fresh() {
    # shellcheck disable=SC2016  # the inner shell expands these
    exec unshare --mount --pid --fork --kill-child --propagation private bash -euc '
        root=$1 command=$2 settings=$3
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /sys "$root/sys"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t tmpfs tmpfs "$root/run"
        for file in /etc/resolv.conf /etc/hosts; do
            [[ ! -e $file ]] || cp "$file" "$root$file"
        done
        mkdir "$root/old"
        cd "$root"
        pivot_root . old
        umount -l /old
        rmdir /old
        runuser --login visitor --command "
            cd doorstep
            $settings
            export LANG=C.UTF-8 CI=true
            $command" || exit
    ' fresh "$1" "$2" "$(registry_settings)"
}

# The settings in the environment by which pip and npm reach their packages.
registry_settings() {
    local name
    for name in $(compgen -e); do
        case $name in
            PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_TRUSTED_HOST | PIP_CERT | PIP_CLIENT_CERT | \
                PIP_DEFAULT_TIMEOUT | NPM_CONFIG_* | \
                npm_config_* | *_proxy | *_PROXY | SSL_CERT_FILE | SSL_CERT_DIR | \
                NODE_EXTRA_CA_CERTS | REQUESTS_CA_BUNDLE)
                printf 'export %s=%q\n' "$name" "${!name}"
                ;;
        esac
    done
}

# shellcheck disable=SC2317  # a trap calls it
delete_fresh() {
    if [[ -n $fresh_child ]]; then
        kill -KILL -- "-$fresh_child" 2>/dev/null || true
        wait "$fresh_child" 2>/dev/null || true
    fi
    [[ -z $fresh ]] || rm -rf --one-file-system "$fresh"
}
