"""The sources of this machine's clock: the network, or a receiver behind it."""

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from hardware import chrony
from hardware.clock import ClockSource

ASK_S: Final = 3.0
"""Longest wait for timedatectl: it may have to start a service first."""


@dataclass(frozen=True, slots=True)
class Keepers:
    """The services that claim to keep the clock.

    Attributes:
        chronyd: the source that it follows; None if no chronyd answers.
        timesyncd: the address of timesyncd's server; empty without one.
    """

    chronyd: chrony.Reference | None = None
    timesyncd: str = ""


def keepers() -> Keepers:
    """Ask chronyd and timesyncd; this starts a process, and capture asks chronyd alone."""
    return Keepers(chrony.reference(), _timesyncd())


def _timesyncd() -> str:
    """Return timesyncd's server; it knows no source but the network. Source: timedatectl(1)."""
    command = ["timedatectl", "show-timesync", "--property=ServerAddress", "--value"]
    try:
        asked = subprocess.run(
            command, capture_output=True, errors="backslashreplace", timeout=ASK_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def clock_result(source: ClockSource, by: Keepers) -> tuple[bool, str]:
    """Return True if a clock from `source` is all right, and the message about it."""
    match source:
        case ClockSource.NTP:
            return _network(by)
        case ClockSource.GNSS if by.chronyd is not None and not by.chronyd.is_network:
            words = (
                f"chrony follows {by.chronyd.name}, which is not the network, and counts as GNSS"
            )
            return True, words
        case ClockSource.GNSS:
            return True, "by GNSS: what the receiver says through gpsd"
        case ClockSource.RTC:
            return True, "by a real-time clock, which may be off; GPS or the network come later"
        case ClockSource.UNSYNCED:
            return True, (
                "nobody vouches for the time yet; records are dated later, by GPS or the network"
            )


def _network(by: Keepers) -> tuple[bool, str]:
    if by.chronyd is not None:
        return True, f"by the network: chrony follows {by.chronyd.name}"
    if _is_this_machine(by.timesyncd):
        return False, (
            f"timesyncd follows {by.timesyncd}, which is this machine: where a receiver is behind "
            "it, a forged GPS signal counts as the network's word; take that server out of "
            "timesyncd.conf, or use chrony, which tells where it has the time from"
        )
    if by.timesyncd:
        return True, f"by the network: timesyncd follows {by.timesyncd}"
    return True, (
        "something keeps the clock that cannot be asked, and counts as the network; where a "
        "receiver is behind it, use chrony, and leave its cmdport open"
    )


def _is_this_machine(address: str) -> bool:
    with suppress(ValueError):
        return ip_address(address).is_loopback
    return False
