"""The troubles of a device, with their remedies, and the reasons why the oldest record waits.

The status, the backend's fleet page and the alerts use the same list: a name in it is a contract,
and each has a sentence and a remedy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Trouble(StrEnum):
    """The troubles in the order of reports: those that lose photos first, passing ones last."""

    NO_ACCESS = "no_access"
    CAPTURE_STOPPED = "capture_stopped"
    DISK = "disk"
    FULL = "full"
    NOT_ENROLLED = "not_enrolled"
    NO_FLEET = "no_fleet"
    NO_RECIPIENTS = "no_recipients"
    DAMAGED = "damaged"
    POSITION = "position"
    ENERGY = "energy"
    SYNC_STOPPED = "sync_stopped"
    QUEUE = "queue"
    CLOCK = "clock"
    CERTIFICATE = "certificate"
    NOT_LET_IN = "not_let_in"
    REFUSED = "refused"
    SUSPECT = "suspect"
    FLEET_REFUSED = "fleet_refused"
    MANIFEST_REFUSED = "manifest_refused"
    CREDENTIALS = "credentials"
    CERTIFICATE_ENDS = "certificate_ends"
    WAITS_LONG = "waits_long"
    TORN = "torn"
    DOCTOR = "doctor"
    NO_NETWORK = "no_network"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    BATCH = "batch"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class TroubleText:
    """A trouble in words: what it is and means, what to do, and where."""

    what: str
    remedy: str
    where: str


_DEVICE, _OFFICE, _NETWORK = "on the device", "in the office", "in the network"

TROUBLE_TEXTS: Final[Mapping[Trouble, TroubleText]] = {
    Trouble.NO_ACCESS: TroubleText(
        "the user who asked for this status may not look into the device's state",
        "ask as root, or as a member of the group doorstep",
        _DEVICE,
    ),
    Trouble.CAPTURE_STOPPED: TroubleText(
        "capture does not run, or does not answer: no press is served",
        "`journalctl -u doorstep-capture` says why, `systemctl restart doorstep-capture` starts it",
        _DEVICE,
    ),
    Trouble.DISK: TroubleText(
        "the card cannot be written or read: presses are refused",
        "`doorstep doctor` says why; repair or replace the card",
        _DEVICE,
    ),
    Trouble.FULL: TroubleText(
        "the card is full: presses are refused",
        "bring it to a network: what was sent makes room; delete what is not Doorstep's",
        _DEVICE,
    ),
    Trouble.NOT_ENROLLED: TroubleText(
        "this device is not enrolled: it has no TLS certificate, so it gets and sends nothing",
        "get a token (`devices add ID`) for `sudo doorstep enrol URL`; by files: `enrol --csr DIR`",
        _OFFICE,
    ),
    Trouble.NO_FLEET: TroubleText(
        "no fleet document has come: presses are refused, and no receipt could be verified",
        "publish one (`fleet publish`): a device that is enrolled asks every ten minutes",
        _OFFICE,
    ),
    Trouble.NO_RECIPIENTS: TroubleText(
        "the fleet document names nobody to seal photos to: presses are refused",
        "publish one that does (`fleet publish`): the device asks every ten minutes",
        _OFFICE,
    ),
    Trouble.DAMAGED: TroubleText(
        "records are damaged: their files are gone or altered",
        "keep the card, tell the office; `doorstep queue --state DAMAGED` lists them",
        _DEVICE,
    ),
    Trouble.POSITION: TroubleText(
        "the position receiver says nothing: photos have no place, some presses are refused",
        "`doorstep doctor` says why; look at its cable, and at gpsd",
        _DEVICE,
    ),
    Trouble.ENERGY: TroubleText(
        "a part that measures or saves energy fails, or the battery is worn: it may end early",
        "`doorstep doctor` says which; look at its cable and config.txt, or replace the battery",
        _DEVICE,
    ),
    Trouble.SYNC_STOPPED: TroubleText(
        "sync does not run, or does not answer: nothing is sent",
        "`journalctl -u doorstep-sync` says why, `systemctl restart doorstep-sync` starts it",
        _DEVICE,
    ),
    Trouble.QUEUE: TroubleText(
        "the queue cannot be read: what waits is not known",
        "ask again in a minute, capture makes a broken one again; else `doorstep doctor` says why",
        _DEVICE,
    ),
    Trouble.CLOCK: TroubleText(
        "the device's clock is wrong: no certificate can be judged by it, and little is sent",
        "GPS or a network sets it within minutes; otherwise `timedatectl set-time` does",
        _DEVICE,
    ),
    Trouble.CERTIFICATE: TroubleText(
        "the TLS certificate is unusable, has ended, or one end does not accept the other's",
        "`doorstep doctor` says which, and how to get another",
        _DEVICE,
    ),
    Trouble.NOT_LET_IN: TroubleText(
        "the backend does not let this device in",
        "let it in again (`devices add`), then `doorstep enrol URL` with the new token",
        _OFFICE,
    ),
    Trouble.REFUSED: TroubleText(
        "the backend has refused records, with its signature",
        "`doorstep queue --state REFUSED` says why; when that is corrected, `doorstep queue retry`",
        _OFFICE,
    ),
    Trouble.SUSPECT: TroubleText(
        "records were answered as if wrong, or sent whole three times, with no signed answer",
        "look for a proxy that answers for the backend; `doorstep queue` quotes what it says",
        _NETWORK,
    ),
    Trouble.FLEET_REFUSED: TroubleText(
        "a fleet document was refused; the last valid one stays",
        "`doorstep doctor` says why; sign it with the fleet key that the device knows",
        _OFFICE,
    ),
    Trouble.MANIFEST_REFUSED: TroubleText(
        "a manifest was refused; the last valid one stays",
        "`doorstep doctor` says why; sign and issue another",
        _OFFICE,
    ),
    Trouble.CREDENTIALS: TroubleText(
        "the last photo was kept without Content Credentials, although they are on",
        "`doorstep doctor` says why, and how to get a missing certificate",
        _DEVICE,
    ),
    Trouble.CERTIFICATE_ENDS: TroubleText(
        "a certificate was not renewed: it ends within 30 days or has ended, or is due as a file",
        "`doorstep doctor` says what to do; a clock that is ahead looks like this too",
        _DEVICE,
    ),
    Trouble.WAITS_LONG: TroubleText(
        "a record has waited for more than a day",
        "`doorstep status` says why; where there is no network, bring it to one",
        _DEVICE,
    ),
    Trouble.TORN: TroubleText(
        "files did not verify after a power cut, and are in torn/",
        "tell the office; once it has looked at them, move them elsewhere",
        _DEVICE,
    ),
    Trouble.DOCTOR: TroubleText(
        "the last `doorstep doctor` found something",
        "run it again, and do what it says",
        _DEVICE,
    ),
    Trouble.NO_NETWORK: TroubleText(
        "there is no network, or none that leads to the backend",
        "nothing, unless it stays so: it goes on by itself",
        _NETWORK,
    ),
    Trouble.NO_ANSWER: TroubleText(
        "something answers, but not as a backend does",
        "nothing, unless it stays so: look for a sign-in page, a proxy, a backend that is down",
        _NETWORK,
    ),
    Trouble.BUSY: TroubleText(
        "the backend asked for a while to wait",
        "nothing: it goes on by itself",
        _NETWORK,
    ),
    Trouble.BATCH: TroubleText(
        "the device sends in batches (`sync.batch_minutes`), and waits for the next one",
        "nothing: it goes on by itself, and at once in the cradle",
        _NETWORK,
    ),
    Trouble.NEXT: TroubleText(
        "it is being sent, or is next",
        "nothing: it goes on by itself",
        _NETWORK,
    ),
}

WAITS_BY_ITSELF: Final = frozenset(
    {Trouble.NO_NETWORK, Trouble.NO_ANSWER, Trouble.BUSY, Trouble.BATCH, Trouble.NEXT}
)
"""Why a record waits without anybody's having to do something."""

BLOCKED_REASONS: Final = frozenset(
    {
        Trouble.NOT_ENROLLED,
        Trouble.CERTIFICATE,
        Trouble.NOT_LET_IN,
        Trouble.NO_FLEET,
        Trouble.NO_NETWORK,
        Trouble.NO_ANSWER,
        Trouble.BUSY,
        Trouble.BATCH,
    }
)
"""Reasons that sync itself gives for sending nothing."""
