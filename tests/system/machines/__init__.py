"""Machines in containers that are set up and updated over SSH.

A machine is a Debian 13 with its own systemd as process 1, sshd, network, processes and files, on
this host's kernel. apt, gpsd, chrony, nftables and polkit in it are real. The office is this host:
the reference backend with identity, and a time server. The street is a network namespace behind a
router, from which nothing may be reached.

`scripts/test --provision` needs 3 GB of disk, 1.5 GB of memory and 45 minutes on two busy cores; a
mirror of Debian 13 (`scripts/debian.sh --sources` prints the apt sources), and once the package
index of pip, for the wheelhouse; and a root that may make namespaces, overlayfs, loop devices and
nftables rules, with cgroup v2 mounted, alone or beside version 1. Meanwhile this host forwards
IPv4, and has a bridge `dst-office` (10.77.1.0/24) and a table `doorstep_provision` in nftables. A
second run waits for the first one.

Only the virtual device (tests/system/qemu) or a real one can show these:

- Camera, GPIO, lamp: simulated here.
- The clock: it is the host's, and no machine may set it. chrony measures and sets nothing (`-x`);
  the machine "at 1971" has a `date` that lies.
- The watchdog, udev, settings of `kernel.*` and `vm.*`, swap of an image, the firmware's
  `config.txt`, a reboot.
- A power cut: a pulled plug here is `kill -9` of process 1, so nothing that was written is lost.
- AppArmor, and limits of memory or processor by cgroup.
- arm64, Raspberry Pi OS and its packages.
"""
