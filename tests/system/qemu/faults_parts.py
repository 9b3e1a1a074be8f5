"""Faults of parts and of the card, as a table; `fault.py` says how each is tried."""

from typing import Final

from agent.rule.reach import OLDEST_S
from tests.system.qemu.fault import READY_AGAIN_S, Fault, tried
from tests.system.qemu.image import BUILD
from tests.system.qemu.machine import CommandFailed, Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Device, Kept, device

_STALE: Final = "sleep 8"
"""A fix older than 5 s is no coordinate, but the door is still known: a walking driver is near."""

_NOWHERE: Final = f"sleep {OLDEST_S + 5:.0f}"
"""Where it could be by now is anywhere, a confidential door among it."""

_HEARD: Final = "sleep 6"
"""gpsd listens again, the receiver is heard, and a fix is in hand."""

_FILL: Final = """
fill() {{ python3 -IS - "$1" <<'EOF'
import os, sys
file, at, step = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o644), 0, 1 << 30
while step >= 4096:
    try:
        os.posix_fallocate(file, at, step)
        at += step
    except OSError:
        step //= 2
EOF
}}
{as_whom}; sync; df -k {place} | tail -1; sleep 5
"""
"""To the last block of 4 KB, and until the process has looked at its card."""


def _filled(place: str, user: str = "root") -> str:
    """Fill the file system below `place`, as this user."""
    if user == "root":
        return _FILL.format(as_whom=f"fill {place}/fill", place=place)
    switch = f"export -f fill; runuser -u {user} -- bash -c 'fill {place}/fill'"
    return f"bash -c '{_quoted(_FILL.format(as_whom=switch, place=place))}'"


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


FAULTS: Final = (
    Fault(
        name="camera gone",
        breaks="touch /run/rig-stall; sleep 3",
        mends="rm /run/rig-stall",
        light="red",
        kind="no_photo",
        event="camera_fault",
    ),
    Fault(
        name="gpsd gone",
        breaks=f"systemctl stop gpsd.socket gpsd.service; {_STALE}",
        mends=f"systemctl start gpsd.socket gpsd.service; {_HEARD}",
        light="green",
        kind="photo",
        event="position_trouble",
        doctor="position",
    ),
    Fault(
        name="receiver unplugged",
        breaks=f"systemctl stop rig-receiver; {_STALE}",
        mends=f"systemctl start rig-receiver; systemctl restart gpsd; {_HEARD}",
        light="green",
        kind="photo",
        doctor="position",
    ),
    Fault(
        name="no fix",
        breaks=f"touch /run/rig-nofix; {_NOWHERE}",
        mends=f"rm /run/rig-nofix; {_HEARD}",
        light="blue",
        kind="no_photo",
    ),
    Fault(
        name="root's data fills the card",
        breaks=_filled("/var/tmp"),
        mends="rm /var/tmp/fill; sleep 5",
        light="green",
        kind="photo",
    ),
    Fault(
        name="root fills the state",
        breaks=_filled("/var/lib/doorstep"),
        mends="rm /var/lib/doorstep/fill; sleep 5",
        light="red",
        kind="no_photo",
        event="room_made",
        doctor="disk",
    ),
    Fault(
        name="capture's user fills the state",
        breaks=_filled("/var/lib/doorstep", "doorstep-capture"),
        mends="rm /var/lib/doorstep/fill; sleep 5",
        light="red",
        kind="no_photo",
        event="ballast_released",
        doctor="disk",
    ),
)


def run(image: Image, kept: Kept, report: Report) -> None:
    """All of them on one machine, one after the other."""
    with device(image, kept, BUILD / "faults") as found:
        _reserve(found, report)
        for fault in FAULTS:
            _tried(found, fault, report)


def _tried(found: Device, fault: Fault, report: Report) -> None:
    """A fault that breaks off is reported, and the next one is tried all the same."""
    try:
        tried(found, fault, report)
    except (AssertionError, CommandFailed) as error:
        report.check(f"{fault.name}: tried to its end", ok=False, seen=str(error)[-300:])
        found.machine.ask(fault.mends, 300.0)
        found.await_ready(READY_AGAIN_S)


def _reserve(found: Device, report: Report) -> None:
    """Capture's user cannot use the room that ext4 keeps for root."""
    told = found.machine.run(
        "dev=$(findmnt -no SOURCE -T /var/lib/doorstep); mountpoint -q /var/lib/doorstep && "
        "echo own; tune2fs -l $dev | grep 'Reserved block count'"
    )
    is_own = "own" in told.split()
    report.check("the state has a file system of its own", is_own, " ".join(told.split()))
    report.check("nothing in it is reserved for root", told.split()[-1] == "0", "")
