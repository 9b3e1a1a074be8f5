"""A long line on one machine: a TUN device whose packets come back half a round trip later.

A proxy in user space ends TCP on both of its sides and so hides slow start; here the kernel's own
TCP runs over the line, and only its packets wait.
"""

import fcntl
import ipaddress
import os
import select
import shutil
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DEVICE: Final = Path("/dev/net/tun")

NETWORK: Final = ipaddress.ip_network("198.18.0.0/15")
"""Addresses for benchmarks of networks. Source: RFC 2544, appendix C.2.2; RFC 6890."""

PACKET_BYTES: Final = 65_535
"""Most that one packet can have. Source: RFC 791."""

QUEUE_PACKETS: Final = 5_000
"""Packets that the device holds for the relay: none is dropped, whatever the window."""

CONGESTION_CONTROL: Final = "cubic"
"""Algorithm of connections over the line, whatever this machine prefers. Source: Linux's default
(net/ipv4/Kconfig, DEFAULT_TCP_CONG), which Debian and Raspberry Pi OS keep.
"""

_TUNSETIFF: Final = 0x4004_54CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
"""Source of the three: linux/if_tun.h."""


class LongLine:
    """A line, as long as `long_line` runs.

    The relay gives each packet the addresses of the other pair, whose sum is the same: 1 + 4 is
    2 + 3, so that no checksum changes.

    Attributes:
        here: the address that a server listens on.
        there: the address that a client connects to.
        carried_bytes: of IP packets towards the server, with their headers.
    """

    def __init__(self, tun: int, first: ipaddress.IPv4Address, delay_s: float) -> None:
        self.client, away, here, there = (first + n for n in range(1, 5))
        self.here, self.there = str(here), str(there)
        self.carried_bytes = 0
        self._tun = tun
        self._delay_s = delay_s
        self._swaps = {
            self.client.packed + there.packed: away.packed + here.packed,
            here.packed + away.packed: there.packed + self.client.packed,
        }
        self._up = self.client.packed + there.packed

    def relay(self, over: int) -> None:
        """Relay packets until the pipe `over` can be read."""
        waiting: deque[tuple[float, bytes]] = deque()
        while True:
            wait_s = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else None
            readable, _, _ = select.select([self._tun, over], [], [], wait_s)
            if over in readable:
                return
            if self._tun in readable:
                self._take(waiting)
            while waiting and waiting[0][0] <= time.monotonic():
                os.write(self._tun, waiting.popleft()[1])

    def _take(self, waiting: deque[tuple[float, bytes]]) -> None:
        packet = os.read(self._tun, PACKET_BYTES)
        addresses = packet[12:20]
        if packet[0] >> 4 != 4 or addresses not in self._swaps:
            return  # the kernel's own, such as IPv6 looking for a router
        if addresses == self._up:
            self.carried_bytes += len(packet)
        turned = packet[:12] + self._swaps[addresses] + packet[20:]
        waiting.append((time.monotonic() + self._delay_s, turned))


def missing() -> str | None:
    """Return what a long line lacks here, in words; None when it can be made."""
    if os.geteuid() != 0:
        return "a TUN device needs root"
    if not DEVICE.exists():
        return f"{DEVICE} is missing: modprobe tun, or --device {DEVICE} for a container"
    return None if shutil.which("ip") else "ip is missing: apt-get install iproute2"


@contextmanager
def long_line(round_trip_s: float) -> Iterator[LongLine]:
    """Make a line and relay its packets in a thread; the device is gone when the block ends.

    Raises:
        RuntimeError: it cannot be made here; the message says what is missing.
    """
    if lacking := missing():
        raise RuntimeError(f"no long line: {lacking}")
    first = NETWORK[8 * (os.getpid() % (NETWORK.num_addresses // 8))]
    tun = os.open(DEVICE, os.O_RDWR)
    name = f"doorstep{os.getpid()}"[:15]
    over, end = os.pipe()
    try:
        fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
        line = LongLine(tun, ipaddress.IPv4Address(first), round_trip_s / 2)
        _ip("address", "add", f"{line.client}/29", "dev", name)
        _ip("address", "add", f"{line.here}/29", "dev", name)
        _ip("link", "set", name, "up", "txqueuelen", str(QUEUE_PACKETS))
        _ip("route", "replace", f"{first}/29", "dev", name, "congctl", CONGESTION_CONTROL)
        relaying = threading.Thread(target=line.relay, args=(over,))
        relaying.start()
        try:
            yield line
        finally:
            os.write(end, b"!")
            relaying.join()
    finally:
        for descriptor in (tun, over, end):
            os.close(descriptor)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
