"""The remedy for a press without a photo, by the reason in its record, for dispatch. Pure."""

from collections.abc import Mapping
from typing import Final

from agent.models import Reason
from agent.status.troubles import TROUBLE_TEXTS, Trouble, TroubleText

UNKNOWN: Final = "unknown"
"""Name of a reason that the backend does not know: sealed to no key here, or of a newer device."""

_DEVICE, _OFFICE, _ROAD = "on the device", "in the office", "on the road"


def _as(trouble: Trouble, what: str) -> TroubleText:
    """Return other words for a press that met a trouble of the status, with the same remedy."""
    words = TROUBLE_TEXTS[trouble]
    return TroubleText(what, words.remedy, words.where)


REMEDIES: Final[Mapping[str, TroubleText]] = {
    Reason.NO_PHOTO_STOP: TroubleText(
        "a stop that takes no photo was in reach",
        "nothing to repair; if this comes at other doors, correct the stop's place and radius",
        _OFFICE,
    ),
    Reason.SIGNATURE_STOP: TroubleText(
        "the stop is to be signed for",
        "nothing to repair; no photo is taken: hand the parcel over with both buttons",
        _ROAD,
    ),
    Reason.UNKNOWN_CODE: TroubleText(
        "the route does not have the parcel label that was read",
        "add the parcel's order to the device's route, or its code to the order",
        _OFFICE,
    ),
    Reason.AMBIGUOUS_CODE: TroubleText(
        "two stops of the route have the parcel label that was read",
        "give each order codes of its own",
        _OFFICE,
    ),
    Reason.CODE_ELSEWHERE: TroubleText(
        "a stop that takes no photo was in reach, and the parcel label was of another place",
        "read the label of a parcel for this door; if that is refused too, the office corrects "
        "the stop's place",
        _ROAD,
    ),
    Reason.NO_POSITION: TroubleText(
        "the device did not know its place, and its route has a stop that takes no photo",
        "`doorstep doctor` says why; look at the receiver's antenna and cable. The driver can read "
        "the parcel label first",
        _DEVICE,
    ),
    Reason.MANIFEST_MISSING: TroubleText(
        "the device had no valid manifest",
        "give the device a route; it fetches the manifest once a minute if there is a network. "
        "`doorstep doctor` on the device says why it refused one",
        _OFFICE,
    ),
    Reason.MANIFEST_EXPIRED: TroubleText(
        "the device's manifest had ended",
        "plan routes that end after the shift; the device needs a network to fetch the next one",
        _OFFICE,
    ),
    Reason.NOT_ENROLLED: _as(
        Trouble.NO_FLEET, "the device had no fleet document, or one that names no recipients"
    ),
    Reason.CAMERA_FAULT: TroubleText(
        "the camera stalled, or reported an error",
        "`doorstep doctor` tries the camera; look at its cable, then replace the camera",
        _DEVICE,
    ),
    Reason.STORAGE_FULL: _as(Trouble.FULL, "the card was full"),
    Reason.STORAGE_FAULT: _as(Trouble.DISK, "the card could not be written or read"),
    Reason.BATTERY_EMPTY: TroubleText(
        "the battery was empty",
        "charge it before the shift; replace a battery that no longer lasts for one",
        _DEVICE,
    ),
    UNKNOWN: TroubleText(
        "the backend does not know the reason",
        "add the identity to which the device seals its records, or update the backend",
        _OFFICE,
    ),
}
"""Words and remedy of each reason, in the order in which they are listed.

`HANDED_OVER` is no refusal, and has no remedy.
"""
