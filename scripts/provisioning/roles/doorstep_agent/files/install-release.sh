#!/bin/sh
# Installs a release from /opt/doorstep/release.tar, without a network; it counts once it has .complete.
# install-release.sh FOLDER SHA256 DIGEST   of the tar; and what .complete is to say
set -eu
umask 022 # the services are not root
cd /
export PYTHONNOUSERSITE=1 # because venv starts pip's installer without -I, in the release's folder
release=$1 sha256=$2 digest=$3
tar=/opt/doorstep/release.tar
wheels=/opt/doorstep/wheelhouse

fail() {
    echo "$1" >&2
    exit 1
}

# One that hangs would hold the lock until the next boot
starts() {
    code=0
    timeout -k 10 300 "$@" || code=$?
    [ "$code" != 124 ] || fail "it did not start within five minutes"
    return "$code"
}

clean_up() {
    rm -rf "$tar" "$wheels"
    [ -e "$release/.complete" ] || rm -rf "$release"
}

# a run that is cut off ends in time, and its lock with it
exec 9>/run/doorstep-install.lock
flock -n 9 || fail "another run is installing a release on it: try again in a minute"
[ "$(readlink /opt/doorstep/current)" != "$release" ] || fail "it runs, and its .complete is gone: bring another version"
trap clean_up EXIT
[ "$(sha256sum "$tar")" = "$sha256  $tar" ] || fail "what arrived is not what was sent, its checksum differs: try again"
rm -rf "$release" "$wheels"
mkdir "$wheels"
tar -xf "$tar" --no-same-owner -C "$wheels"
rm "$tar"
(cd "$wheels" && sha256sum --quiet --check SHA256SUMS)
/usr/bin/python3 -I -m venv --system-site-packages "$release"
"$release/bin/python" -I -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-index \
    --find-links "$wheels" --require-hashes --requirement "$wheels/requirements.txt"
# Isolated for every user: no module comes from the current folder, a home or a variable
sed -i '1s/$/ -I/' "$release/bin/doorstep"
starts "$release/bin/doorstep" --version
starts "$release/bin/python" -I -c 'import c2pa, cv2, cryptography, pyrage, zxingcpp'
cp -r "$wheels/units" "$release/units"
sync -f "$release"
printf %s "$digest" >"$release/.complete"
sync -f "$release"
