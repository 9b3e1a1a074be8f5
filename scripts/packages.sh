#!/usr/bin/env bash
# Lists and installs Debian's packages for the tests. Sourced by scripts/test, with scripts/root.sh.

# A package, the command or file that shows that it is installed, and why tests need it.
# A command rather than the package's name, because Node.js for one may come from elsewhere.
# shellcheck disable=SC2034  # for the script that sources this one
TEST_PACKAGES='
age                     age                         opens sealed records as a stranger would
chrony                  /usr/sbin/chronyd           sets clocks; only unpacked, into build/
curl                    curl                        asks the servers as a stranger would
e2fsprogs               mkfs.ext4                   makes small disks to fill and to break
faketime                faketime                    shows a wrong time to one command
fuse3                   fusermount3                 unmounts the disks of the power cuts
gpsd                    /usr/sbin/gpsd              gives positions
gpsd-clients            gpsfake                     plays a receiver for gpsd
iproute2                ip                          makes networks for slow lines
libimage-exiftool-perl  exiftool                    judges the photos
nginx-light             /usr/sbin/nginx             is put in front of the backend
openssl                 openssl                     checks signatures as a stranger would
qemu-utils              qemu-storage-daemon         records what is written to a disk
strace                  strace                      makes system calls fail
systemd                 systemd-analyze             judges the units
udev                    udevadm                     judges the rules for devices
'

# shellcheck disable=SC2034
RELEASE_PACKAGES='
chromium                chromium                    shows the web pages
libest-utils            estserver                   issues certificates as a foreign server
mate-backgrounds        /usr/share/backgrounds/mate has photographs for the blur check
nodejs                  node                        runs foreign servers and readers
npm                     npm                         installs those
postgresql              /usr/lib/postgresql/*/bin/initdb  keeps the rows of a fleet
promtool                promtool                    judges the alert rules
strongswan-pki          pki                         enrols as a foreign client
'

# shellcheck disable=SC2034
MACHINE_PACKAGES='
mmdebstrap              mmdebstrap                  builds the machines to set up
nftables                /usr/sbin/nft               is the firewall of the machines to set up
openssh-client          ssh                         reaches machines that are set up
'

# shellcheck disable=SC2034
DEVICE_PACKAGES='
chrony                  /usr/sbin/chronyd           sets the clock of the virtual device; only unpacked, into build/
e2fsprogs               mkfs.ext4                   makes the disk of the virtual device
libimage-exiftool-perl  exiftool                    judges the photos
mmdebstrap              mmdebstrap                  fills that disk
openssh-client          ssh                         reaches the virtual device
qemu-system-x86         qemu-system-x86_64          runs the virtual device
qemu-utils              qemu-img                    copies that disk
'

# list_packages TABLE   one line for each package: its name, and why
list_packages() {
    local package shown why
    while read -r package shown why; do
        [[ -z $package ]] || printf '  %-23s %s\n' "$package" "$why"
    done <<<"$1"
}

# install_packages TABLE   only what is missing, so that a second run needs no network
install_packages() {
    local missing=() names package shown why chrony=no as_root
    while read -r package shown why; do
        [[ -z $package ]] || is_installed "$package" "$shown" || missing+=("$package")
    done <<<"$1"
    ((${#missing[@]})) || return 0
    echo "== installing Debian packages that the tests need:" >&2
    names=$(printf '|%s' "${missing[@]}")
    list_packages "$(grep -E "^(${names#|}) " <<<"$1")" >&2
    become_root
    # Another program, such as unattended upgrades, may hold apt's lock.
    local wait=(-o DPkg::Lock::Timeout=300)
    "${as_root[@]}" apt-get "${wait[@]}" update -qq
    for package in "${!missing[@]}"; do
        case ${missing[package]} in
            postgresql) keep_clusters_away ;;
            chrony)
                chrony=yes
                unset "missing[package]"
                ;;
        esac
    done
    mkdir -p build
    if ((${#missing[@]})); then
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${wait[@]}" \
            install -qq -y --no-install-recommends "${missing[@]}" >build/packages.log 2>&1 || {
            tail -n 20 build/packages.log >&2
            echo "The packages could not be installed; the whole log is in build/packages.log" >&2
            return 2
        }
    fi
    [[ $chrony == no ]] || unpack_chrony
}

is_installed() {
    if [[ $1 == chrony && -x build/chrony/usr/sbin/chronyd ]]; then
        return
    fi
    case $2 in
        /*) compgen -G "$2" >/dev/null ;;
        *) PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null ;;
    esac
}

# Debian's package makes a database of its own and starts it at each boot; the tests make theirs.
keep_clusters_away() {
    local settings=/etc/postgresql-common/createcluster.d
    "${as_root[@]}" mkdir -p "$settings"
    "${as_root[@]}" tee "$settings/doorstep-tests.conf" >/dev/null <<<'create_main_cluster = false'
}

# If it were installed, it would replace this machine's timesyncd.
unpack_chrony() {
    mkdir -p build/chrony
    (cd build && apt-get -o APT::Sandbox::User=root download -qq chrony && dpkg-deb -x chrony_*.deb chrony && rm chrony_*.deb)
}
