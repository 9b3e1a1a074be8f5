"""Which troubles a status document shows, and why its oldest record waits. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from agent.models import from_rfc3339
from agent.status.troubles import WAITS_BY_ITSELF, Trouble

LONG: Final = timedelta(hours=24)
"""A record that waits longer missed a whole round, and the night in the depot's network."""

ENDS_SOON: Final = timedelta(days=30)
"""One of a year is renewed four months before its end: a month to find out why it was not."""

_ENDS: Final = ("tls_until", "evidence_until", "serve_until")
"""Where a status says until when its certificates are valid."""

_JUDGED_BY_THE_CLOCK: Final = {Trouble.CERTIFICATE, Trouble.NO_ANSWER, Trouble.NO_NETWORK}
"""What a clock that is wrong looks like from sync: TLS fails at either end."""

_COUNTED: Final = {
    Trouble.DAMAGED: "damaged",
    Trouble.REFUSED: "refused",
    Trouble.SUSPECT: "suspected",
}


def why_waits(status: Mapping[str, Any]) -> Trouble | None:
    """Why the oldest record waits; None where none does.

    Args:
        status: a status document without `needs` and `queue.why`.
    """
    queue, sync = status["queue"], status["sync"]
    if not queue.get("waiting"):
        return None
    if not _answers(sync):
        return next(_of_the_disk(status), Trouble.SYNC_STOPPED)  # it ends on a dead card
    hindrance = _hindrance(status) or Trouble.NEXT
    is_passing = hindrance in WAITS_BY_ITSELF
    return Trouble.SUSPECT if is_passing and queue.get("oldest_suspect") else hindrance


def needs(status: Mapping[str, Any], now: datetime) -> list[Trouble]:
    """What a person must do something about, worst first.

    Args:
        status: a status document, of which `needs` and `queue.why` are not looked at.
        now: the time; the device's own may be wrong.
    """
    found = {
        *_of_the_processes(status),
        *_of_the_disk(status),
        *_of_the_queue(status, now),
        *_of_the_documents(status, now),
    }
    return [trouble for trouble in Trouble if trouble in found]


def _of_the_processes(status: Mapping[str, Any]) -> Iterator[Trouble]:
    if status["torn"] is None:
        yield Trouble.NO_ACCESS  # then their sockets are closed to whoever asks, too
    stopped = {"capture": Trouble.CAPTURE_STOPPED, "sync": Trouble.SYNC_STOPPED}
    for name, trouble in stopped.items():
        is_closed = status["torn"] is None and status[name] is not None
        if not _answers(status[name]) and not is_closed:
            yield trouble
    if status["clock_wrong"]:
        yield Trouble.CLOCK
    hindrance = _hindrance(status)
    if hindrance is not None and hindrance not in WAITS_BY_ITSELF:
        yield hindrance
    if (status["capture"] or {}).get("position", "ok") not in {"ok", None}:
        yield Trouble.POSITION


def _of_the_disk(status: Mapping[str, Any]) -> Iterator[Trouble]:
    """A card that fails ends capture: where that does not run, its own trouble leads to this."""
    disk, capture = status["disk"], status["capture"]
    if disk["free_mb"] is not None and disk["free_mb"] < disk["reserve_mb"]:
        yield Trouble.FULL
    elif _answers(capture) and (disk["free_mb"] is None or capture.get("writable") is False):
        yield Trouble.DISK


def _of_the_queue(status: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    queue = status["queue"]
    yield from (trouble for trouble, name in _COUNTED.items() if queue.get(name))
    if "error" in queue and _answers(status["capture"]):
        yield Trouble.QUEUE
    if status["torn"]:
        yield Trouble.TORN
    if _is_before(queue.get("oldest_utc"), now - LONG):
        yield Trouble.WAITS_LONG


def _of_the_documents(status: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    capture = status["capture"] or {}
    has_no_fleet = status["identity"]["mode"] == "required" and capture.get("fleet", 0) is None
    if has_no_fleet and _hindrance(status) is not Trouble.NOT_ENROLLED:  # which explains it
        yield Trouble.NO_FLEET
    if capture.get("recipients") == 0:
        yield Trouble.NO_RECIPIENTS
    for trouble in (Trouble.FLEET_REFUSED, Trouble.MANIFEST_REFUSED):
        if capture.get(trouble):
            yield trouble
    if capture.get("no_credentials") and _hindrance(status) is not Trouble.NOT_ENROLLED:
        yield Trouble.CREDENTIALS
    ends = (status["identity"].get(name) for name in _ENDS)
    if any(_is_before(end, now + ENDS_SOON) for end in ends):
        yield Trouble.CERTIFICATE_ENDS
    if (status["doctor"] or {}).get("failed"):
        yield Trouble.DOCTOR


def _answers(process: Mapping[str, Any] | None) -> bool:
    return process is not None and "error" not in process


def _hindrance(status: Mapping[str, Any]) -> Trouble | None:
    """What sync says hinders it; a clock that is wrong explains all that is judged by it."""
    hindrance = (status["sync"] or {}).get("hindrance")
    if hindrance in _JUDGED_BY_THE_CLOCK and status["clock_wrong"]:
        return Trouble.CLOCK
    return hindrance and Trouble(hindrance)


def _is_before(text: str | None, moment: datetime) -> bool:
    """Whether a time of the status is; not where there is none."""
    return text is not None and from_rfc3339(text) < moment
