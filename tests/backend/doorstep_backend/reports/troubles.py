"""The troubles that only the backend knows of a device, and the words for every need.

A name is a contract, as those in agent/status/troubles.py.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final

from agent.status.troubles import TROUBLE_TEXTS, WAITS_BY_ITSELF, Trouble, TroubleText

SILENT: Final = timedelta(hours=25)
"""A day: no device is out for longer without a network; and the hour to which times are kept."""


class Noticed(StrEnum):
    """The troubles that no device says of itself, in the order in which they are listed."""

    CLONE = "clone"
    REVOKED = "revoked"
    CERTIFICATE_ENDED = "certificate_ended"
    NEVER_REPORTED = "never_reported"
    SILENT = "silent"
    UNREADABLE = "unreadable"
    NEWER = "newer"
    BENCH_MODE = "bench_mode"


Need = Noticed | Trouble

_DEVICE, _OFFICE = "on the device", "in the office"

NOTICED_TEXTS: Final[Mapping[Noticed, TroubleText]] = {
    Noticed.CLONE: TroubleText(
        "a certificate that a newer one replaced was used: its card was perhaps copied",
        "find the device and the copy; `devices revoke`, then let the right one in again",
        _OFFICE,
    ),
    Noticed.REVOKED: TroubleText(
        "the office shut it out: it sends nothing, and what it has waits on it",
        "let it in again (`devices add`), or take it out of the fleet (`devices gone`)",
        _OFFICE,
    ),
    Noticed.CERTIFICATE_ENDED: TroubleText(
        "it has no TLS certificate that is valid: the last one ended, or was revoked",
        "let it in again (`devices add`), then `doorstep enrol URL` with the new token",
        _OFFICE,
    ),
    Noticed.NEVER_REPORTED: TroubleText(
        "it was let in, and has never said how it is",
        "`doorstep enrol URL` with its token, then `doorstep doctor`; an old agent says nothing",
        _DEVICE,
    ),
    Noticed.SILENT: TroubleText(
        "it has said nothing for more than a day",
        "is it switched on, and in a network? `doorstep status` on the device says more",
        _DEVICE,
    ),
    Noticed.UNREADABLE: TroubleText(
        "what it said of itself last cannot be read; what is shown is older",
        "compare the versions of agent and backend; something on the way may cut headers",
        _OFFICE,
    ),
    Noticed.NEWER: TroubleText(
        "it says that it needs something of which this backend has no words: the device is newer",
        "update the backend; until then `doorstep status` on the device says what it is",
        _OFFICE,
    ),
    Noticed.BENCH_MODE: TroubleText(
        "bench mode is on: presses come through the socket and make test records",
        "on the road, set device.bench_mode to false, and restart capture",
        _DEVICE,
    ),
}

NOTES: Final = frozenset({Noticed.BENCH_MODE})
"""Worth knowing; nobody must do something."""

_FIRST: Final = (Noticed.CLONE, Noticed.CERTIFICATE_ENDED)
"""Somebody may hold a copy of a card; nothing comes any more."""

NEEDS: Final[tuple[Need, ...]] = (
    *_FIRST,
    *(one for one in Trouble if one not in WAITS_BY_ITSELF),
    *(one for one in Noticed if one not in NOTES and one not in _FIRST),
)
"""Needs of a person's action, worst first: photos are lost before a device is missed."""


def trouble_text(name: str) -> TroubleText:
    """Return the words; a name that only a newer device knows stands for itself."""
    if name in NOTICED_TEXTS:
        return NOTICED_TEXTS[Noticed(name)]
    if name in TROUBLE_TEXTS:
        return TROUBLE_TEXTS[Trouble(name)]
    return TroubleText(name, NOTICED_TEXTS[Noticed.NEWER].remedy, _OFFICE)
