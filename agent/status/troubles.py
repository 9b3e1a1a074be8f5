"""What may be wrong with a device, what it means and what to do; why the oldest record waits. Pure.

The same list for the device's own words, for the backend's fleet page and for alerts: a name in it
is a contract, and each has a sentence and a remedy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from agent.models import from_rfc3339

LONG: Final = timedelta(hours=24)
"""A record that waits longer missed a whole round, and the night in the depot's network."""

ENDS_SOON: Final = timedelta(days=30)
"""A certificate of a year is renewed four months before its end: by now somebody must look."""


class Trouble(StrEnum):
    """In the order in which they are told: what loses photos first, what ends by itself last."""

    DAMAGED = "damaged"
    DISK = "disk"
    FULL = "full"
    CAPTURE_STOPPED = "capture_stopped"
    SYNC_STOPPED = "sync_stopped"
    CLOCK = "clock"
    CERTIFICATE = "certificate"
    NOT_LET_IN = "not_let_in"
    NO_FLEET = "no_fleet"
    REFUSED = "refused"
    SUSPECT = "suspect"
    TORN = "torn"
    FLEET_REFUSED = "fleet_refused"
    MANIFEST_REFUSED = "manifest_refused"
    CERTIFICATE_ENDS = "certificate_ends"
    WAITS_LONG = "waits_long"
    DOCTOR = "doctor"
    NO_NETWORK = "no_network"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Told:
    """A trouble in words: what it is and means, what to do, and where."""

    what: str
    remedy: str
    where: str


_DEVICE, _OFFICE, _NETWORK = "on the device", "in the office", "in the network"

TOLD: Final[Mapping[Trouble, Told]] = {
    Trouble.DAMAGED: Told(
        "records are damaged: their files are gone or altered",
        "keep the card, tell the office; `doorstep queue --state DAMAGED` lists them",
        _DEVICE,
    ),
    Trouble.DISK: Told(
        "the card cannot be written or read: presses are refused",
        "`doorstep doctor` says why; mend or replace the card",
        _DEVICE,
    ),
    Trouble.FULL: Told(
        "the card is full: presses are refused",
        "bring it to a network, so that records are sent; delete what is not Doorstep's",
        _DEVICE,
    ),
    Trouble.CAPTURE_STOPPED: Told(
        "capture does not run: no press is served",
        "`journalctl -u doorstep-capture` says why, `systemctl start doorstep-capture` starts it",
        _DEVICE,
    ),
    Trouble.SYNC_STOPPED: Told(
        "sync does not run: nothing is sent",
        "`journalctl -u doorstep-sync` says why, `systemctl start doorstep-sync` starts it",
        _DEVICE,
    ),
    Trouble.CLOCK: Told(
        "the device's clock is wrong: no certificate can be judged by it",
        "wait for a network, or set it with `timedatectl set-time`",
        _DEVICE,
    ),
    Trouble.CERTIFICATE: Told(
        "the TLS certificate is missing, has ended, or one end does not accept the other's",
        "`doorstep doctor` says which; `doorstep enrol URL` with a new token gets another",
        _DEVICE,
    ),
    Trouble.NOT_LET_IN: Told(
        "the backend does not let this device in",
        "let it in again (`devices add`), then `doorstep enrol URL` with the new token",
        _OFFICE,
    ),
    Trouble.NO_FLEET: Told(
        "no fleet document has come: no receipt could be verified",
        "publish one (`fleet publish`); the device asks every ten minutes",
        _OFFICE,
    ),
    Trouble.REFUSED: Told(
        "the backend has refused records, with its signature",
        "`doorstep queue --state REFUSED` says why; when that is mended, `doorstep queue retry`",
        _OFFICE,
    ),
    Trouble.SUSPECT: Told(
        "records are answered as if they were wrong, without a signature",
        "something on the way may answer for the backend: a proxy; `doorstep queue` quotes it",
        _NETWORK,
    ),
    Trouble.TORN: Told(
        "files did not verify after a power cut, and lie in torn/",
        "keep the card, tell the office",
        _DEVICE,
    ),
    Trouble.FLEET_REFUSED: Told(
        "a fleet document was refused; the last valid one stays",
        "`doorstep doctor` says why; check identity.fleet_key",
        _OFFICE,
    ),
    Trouble.MANIFEST_REFUSED: Told(
        "a manifest was refused; the last valid one stays",
        "`doorstep doctor` says why; have it signed and issued anew",
        _OFFICE,
    ),
    Trouble.CERTIFICATE_ENDS: Told(
        "a certificate ends within 30 days and was not renewed",
        "`doorstep enrol URL --renew` says why not",
        _DEVICE,
    ),
    Trouble.WAITS_LONG: Told(
        "a record has waited for more than a day",
        "bring the device to a network; the next line says why it waits",
        _DEVICE,
    ),
    Trouble.DOCTOR: Told(
        "the last `doorstep doctor` found something",
        "run it again, and do what it says",
        _DEVICE,
    ),
    Trouble.NO_NETWORK: Told(
        "there is no network, or none that leads to the backend",
        "nothing, unless it stays so: it goes on by itself",
        _NETWORK,
    ),
    Trouble.NO_ANSWER: Told(
        "something answers, but not as a backend does",
        "nothing, unless it stays so: a Wi-Fi's sign-in page, a proxy, a backend that is down",
        _NETWORK,
    ),
    Trouble.BUSY: Told(
        "the backend asked for a while to wait",
        "nothing: it goes on by itself",
        _NETWORK,
    ),
    Trouble.NEXT: Told(
        "it is being sent, or is next",
        "nothing",
        _NETWORK,
    ),
}

WAITS_BY_ITSELF: Final = frozenset(
    {Trouble.NO_NETWORK, Trouble.NO_ANSWER, Trouble.BUSY, Trouble.NEXT}
)
"""Why a record waits without anybody's having to do something."""

HINDRANCES: Final = frozenset(
    {
        Trouble.CERTIFICATE,
        Trouble.NOT_LET_IN,
        Trouble.NO_FLEET,
        Trouble.NO_NETWORK,
        Trouble.NO_ANSWER,
        Trouble.BUSY,
    }
)
"""What sync itself may say of why it sends nothing."""


def why_waits(status: Mapping[str, Any]) -> Trouble | None:
    """Why the oldest record waits; None where none does.

    Args:
        status: a status document without `needs` and `queue.why`.
    """
    queue, sync = status["queue"], status["sync"]
    if not queue.get("waiting"):
        return None
    if status["disk"].get("free_mb") is None:
        return Trouble.DISK
    if sync is None or "error" in sync:
        return Trouble.SYNC_STOPPED
    hindrance = sync.get("hindrance") or Trouble.NEXT
    if queue.get("oldest_suspect"):
        return Trouble.SUSPECT
    if hindrance in _JUDGED_BY_THE_CLOCK and status["clock_wrong"]:
        return Trouble.CLOCK
    return Trouble(hindrance)


def needs(status: Mapping[str, Any], now: datetime) -> list[Trouble]:
    """What a person must do something about, worst first.

    Args:
        status: a status document with `queue.why`, without `needs`.
        now: the time; the device's own may be wrong.
    """
    found = set(_found(status, now))
    return [trouble for trouble in Trouble if trouble in found]


_JUDGED_BY_THE_CLOCK: Final = {Trouble.CERTIFICATE, Trouble.NO_ANSWER, Trouble.NO_NETWORK}
"""What a clock that is wrong looks like from sync: TLS fails at either end."""

_COUNTED: Final = {
    Trouble.DAMAGED: "damaged",
    Trouble.REFUSED: "refused",
    Trouble.SUSPECT: "suspected",
}


def _found(status: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    queue, capture, sync = status["queue"], status["capture"], status["sync"]
    yield from (trouble for trouble, name in _COUNTED.items() if queue.get(name))
    if status["torn"]:
        yield Trouble.TORN
    yield from _of_the_disk(status)
    if status["clock_wrong"]:
        yield Trouble.CLOCK
    if capture is None or "error" in capture:
        yield Trouble.CAPTURE_STOPPED
    else:
        yield from (
            trouble
            for trouble in (Trouble.FLEET_REFUSED, Trouble.MANIFEST_REFUSED)
            if capture.get(trouble)
        )
    if sync is None or "error" in sync:
        yield Trouble.SYNC_STOPPED
    elif (hindrance := sync.get("hindrance")) and hindrance not in WAITS_BY_ITSELF:
        yield Trouble(hindrance)
    if (status["doctor"] or {}).get("failed"):
        yield Trouble.DOCTOR
    if _is_before(queue.get("oldest_utc"), now - LONG):
        yield Trouble.WAITS_LONG
    ends = (status["identity"].get(name) for name in ENDS)
    if any(_is_before(end, now + ENDS_SOON) for end in ends):
        yield Trouble.CERTIFICATE_ENDS


ENDS: Final = ("tls_until", "evidence_until", "serve_until")
"""Where a status says until when its certificates are valid."""


def _of_the_disk(status: Mapping[str, Any]) -> Iterator[Trouble]:
    disk, capture = status["disk"], status["capture"] or {}
    free_mb = disk.get("free_mb")
    if free_mb is None or "error" in status["queue"]:
        yield Trouble.DISK
    elif free_mb < disk["reserve_mb"]:
        yield Trouble.FULL
    elif capture.get("writable") is False:
        yield Trouble.DISK


def _is_before(text: str | None, moment: datetime) -> bool:
    """Whether a time of the status is; not where there is none."""
    return text is not None and from_rfc3339(text) < moment
