"""The office's network, which the machines are in, and the street outside it."""

import fcntl
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

BRIDGE: Final = "dst-office"
"""Interface of this host in the office's network."""

OFFICE: Final = "10.77.1.0/24"
"""The network of devices during their set-up; it may reach their SSH."""

HOST: Final = "10.77.1.1"
"""Address of this host in it: the technician's computer, the backend and the time server."""

STREET: Final = "dst-street"
"""A network namespace somewhere else, from which nothing may be reached."""

STREET_ADDRESS: Final = "10.77.9.2"
"""Its address; this host routes between the two, and hides neither from the other."""

MTU: Final = 1400
"""MTU of every interface: below that of this host's own network, so that no big packet is lost."""

_LOCK: Final = Path("/run/doorstep-provision.lock")
_FORWARD: Final = Path("/proc/sys/net/ipv4/ip_forward")
_TABLE: Final = "doorstep_provision"
_RULES: Final = f"""
table ip {_TABLE} {{
    chain out {{
        type nat hook postrouting priority srcnat;
        ip saddr 10.77.0.0/16 ip daddr != 10.77.0.0/16 masquerade
    }}
}}
"""


class Network:
    """Both networks on this host; a second process waits for the first."""

    def __enter__(self) -> Self:
        self._lock = _LOCK.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._take_down()  # what a killed run left
        self._forwarded = _FORWARD.read_text()
        _FORWARD.write_text("1")
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("addr", "add", f"{HOST}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "mtu", str(MTU), "up")
        ip("netns", "add", STREET)
        ip("link", "add", STREET, "type", "veth", "peer", "name", "eth0", "netns", STREET)
        ip("addr", "add", "10.77.9.1/24", "dev", STREET)
        ip("link", "set", STREET, "up")
        _address_in(STREET, f"{STREET_ADDRESS}/24", "10.77.9.1")
        subprocess.run(["nft", "-f", "-"], input=_RULES, text=True, check=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._take_down()
        _FORWARD.write_text(self._forwarded)
        self._lock.close()

    def plug_in(self, name: str, address: str) -> str:
        """Returns the network namespace of a machine that has `address` in the office."""
        netns, cable = f"dst-{name}", f"dst{address.rsplit('.', 1)[1]}"
        ip("netns", "add", netns)
        # One that was pulled out goes with its namespace, a moment after that was deleted
        subprocess.run(["ip", "link", "del", cable], capture_output=True, check=False)
        ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", netns)
        ip("link", "set", cable, "mtu", str(MTU), "master", BRIDGE, "up")
        _address_in(netns, f"{address}/24", HOST)
        return netns

    def pull_out(self, name: str) -> None:
        """Takes the network of a machine that was stopped away."""
        ip("netns", "del", f"dst-{name}")

    def _take_down(self) -> None:
        for one in _names("netns", "list"):
            if one.startswith("dst-"):
                ip("netns", "del", one)
        with suppress(subprocess.CalledProcessError):
            ip("link", "del", BRIDGE)
        subprocess.run(["nft", "delete", "table", "ip", _TABLE], capture_output=True, check=False)


def ip(*words: str) -> str:
    """Runs `ip`; raises subprocess.CalledProcessError where it fails."""
    command = [shutil.which("ip") or "/usr/sbin/ip", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _names(*words: str) -> list[str]:
    return [line.split()[0] for line in ip(*words).splitlines() if line.strip()]


def _address_in(netns: str, address: str, gateway: str) -> None:
    ip("-n", netns, "link", "set", "lo", "up")
    ip("-n", netns, "addr", "add", address, "dev", "eth0")
    ip("-n", netns, "link", "set", "eth0", "mtu", str(MTU), "up")
    ip("-n", netns, "route", "add", "default", "via", gateway)
