"""What the backend knows of a device beside what that says of itself, and every need in words.

A name is a contract, as those in agent/status/troubles.py.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from agent.status.troubles import TOLD, WAITS_BY_ITSELF, Told, Trouble

SILENT: Final = timedelta(hours=25)
"""A day: no device is out for longer without a network; and the hour to which times are kept."""


class Known(StrEnum):
    """In the order in which they are told."""

    CLONE = "clone"
    REVOKED = "revoked"
    CERTIFICATE_ENDED = "certificate_ended"
    NEVER_REPORTED = "never_reported"
    SILENT = "silent"
    UNREADABLE = "unreadable"
    NEWER = "newer"
    BENCH_MODE = "bench_mode"


Need = Known | Trouble

_DEVICE, _OFFICE = "on the device", "in the office"

KNOWN_TOLD: Final[Mapping[Known, Told]] = {
    Known.CLONE: Told(
        "a certificate that a newer one replaced was used: its card was perhaps copied",
        "find the device and the copy; `devices revoke`, then let the right one in again",
        _OFFICE,
    ),
    Known.REVOKED: Told(
        "the office shut it out: it sends nothing, and what it has waits on it",
        "let it in again (`devices add`), or take it out of the fleet (`devices gone`)",
        _OFFICE,
    ),
    Known.CERTIFICATE_ENDED: Told(
        "it has no TLS certificate that is valid: the last one ended, or was revoked",
        "let it in again (`devices add`), then `doorstep enrol URL` with the new token",
        _OFFICE,
    ),
    Known.NEVER_REPORTED: Told(
        "it was let in, and has never said how it is",
        "`doorstep enrol URL` with its token, then `doorstep doctor`; an old agent says nothing",
        _DEVICE,
    ),
    Known.SILENT: Told(
        "it has said nothing for more than a day",
        "is it switched on, and in a network? `doorstep status` on the device says more",
        _DEVICE,
    ),
    Known.UNREADABLE: Told(
        "what it said of itself last cannot be read; what is shown is older",
        "compare the versions of agent and backend; something on the way may cut headers",
        _OFFICE,
    ),
    Known.NEWER: Told(
        "it says that it needs something of which this backend has no words: the device is newer",
        "update the backend; until then `doorstep status` on the device says what it is",
        _OFFICE,
    ),
    Known.BENCH_MODE: Told(
        "bench mode is on: presses come through the socket and make test records",
        "on the road, set device.bench_mode to false, and restart capture",
        _DEVICE,
    ),
}

NOTES: Final = frozenset({Known.BENCH_MODE})
"""Worth knowing; nobody must do something."""

_FIRST: Final = (Known.CLONE, Known.CERTIFICATE_ENDED)
"""Somebody may hold a copy of a card; nothing comes any more."""

NEEDS: Final[tuple[Need, ...]] = (
    *_FIRST,
    *(one for one in Trouble if one not in WAITS_BY_ITSELF),
    *(one for one in Known if one not in NOTES and one not in _FIRST),
)
"""What a person must do something about, worst first: photos are lost before a device is missed."""


def told(name: str) -> Told:
    """In words; a name that only a newer device knows is told as itself."""
    if name in KNOWN_TOLD:
        return KNOWN_TOLD[Known(name)]
    if name in TOLD:
        return TOLD[Trouble(name)]
    return Told(name, KNOWN_TOLD[Known.NEWER].remedy, _OFFICE)
