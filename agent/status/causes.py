"""Which troubles a status document shows, and why its oldest record waits. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agent.models import from_rfc3339
from agent.status.troubles import WAITS_BY_ITSELF, Trouble
from agent.status.values import (
    NOT_IN_DOCUMENT,
    CapturePart,
    NotInDocument,
    PartFailed,
    QueueFailed,
    Status,
    SyncPart,
)

LONG: Final = timedelta(hours=24)
"""A record that waits longer missed a whole round, and the night in the depot's network."""

ENDS_SOON: Final = timedelta(days=30)
"""Time before the end from which an end is a trouble: enough to find out why nothing renewed it.

A certificate of a year is renewed four months before its end.
"""

_JUDGED_BY_THE_CLOCK: Final = {Trouble.CERTIFICATE, Trouble.NO_ANSWER, Trouble.NO_NETWORK}
"""Troubles that a wrong clock causes in sync: TLS fails at either end."""


def why_waits(status: Status) -> Trouble | None:
    """Return why the oldest record waits; None if none does.

    Args:
        status: a status document; its `needs` and `queue.why` are ignored.
    """
    queue, sync = status.queue, status.sync
    if isinstance(queue, QueueFailed) or not queue.waiting:
        return None
    if not isinstance(sync, SyncPart):
        return next(_of_the_disk(status), Trouble.SYNC_STOPPED)  # it ends on a dead card
    blocked_reason = _blocked_reason(status) or Trouble.NEXT
    is_passing = blocked_reason in WAITS_BY_ITSELF
    return Trouble.SUSPECT if is_passing and queue.oldest_suspect else blocked_reason


def needs(status: Status, now: datetime, *, is_renewal_due: bool = False) -> list[Trouble]:
    """Return the troubles that a person must act on, worst first.

    Args:
        status: a status document; its `needs` and `queue.why` are ignored.
        now: the time; the device's own may be wrong.
        is_renewal_due: whether sync says that a person must renew a certificate.
    """
    found = {
        *([Trouble.CERTIFICATE_ENDS] if is_renewal_due else []),
        *_of_the_processes(status),
        *_of_the_disk(status),
        *_of_the_queue(status, now),
        *_of_the_documents(status, now),
    }
    return [trouble for trouble in Trouble if trouble in found]


def _of_the_processes(status: Status) -> Iterator[Trouble]:
    if status.torn is None:
        yield Trouble.NO_ACCESS  # then this user cannot open their sockets either
    if _is_silent(status.capture, status):
        yield Trouble.CAPTURE_STOPPED
    if _is_silent(status.sync, status):
        yield Trouble.SYNC_STOPPED
    if status.clock_wrong:
        yield Trouble.CLOCK
    blocked_reason = _blocked_reason(status)
    if blocked_reason is not None and blocked_reason not in WAITS_BY_ITSELF:
        yield blocked_reason
    if status.of_capture.position not in {"ok", NOT_IN_DOCUMENT}:
        yield Trouble.POSITION
    if status.of_capture.energy not in {"ok", NOT_IN_DOCUMENT}:
        yield Trouble.ENERGY


def _is_silent(process: CapturePart | SyncPart | PartFailed | None, status: Status) -> bool:
    """Return whether a process does not answer, although this user may ask."""
    return process is None or (isinstance(process, PartFailed) and status.torn is not None)


def _of_the_disk(status: Status) -> Iterator[Trouble]:
    """Yield troubles of the disk; DISK only while capture answers.

    A failing card ends capture: then CAPTURE_STOPPED and its remedy lead to the card.
    """
    disk, capture = status.disk, status.capture
    if disk.free_mb is not None and disk.free_mb < disk.reserve_mb:
        yield Trouble.FULL
    elif isinstance(capture, CapturePart) and (disk.free_mb is None or capture.writable is False):
        yield Trouble.DISK


def _of_the_queue(status: Status, now: datetime) -> Iterator[Trouble]:
    queue = status.queue
    if isinstance(queue, QueueFailed):
        if isinstance(status.capture, CapturePart):
            yield Trouble.QUEUE
    else:
        if queue.damaged:
            yield Trouble.DAMAGED
        if queue.refused:
            yield Trouble.REFUSED
        if queue.suspected:
            yield Trouble.SUSPECT
        if _is_before(queue.oldest_utc, now - LONG):
            yield Trouble.WAITS_LONG
    if status.torn:
        yield Trouble.TORN


def _of_the_documents(status: Status, now: datetime) -> Iterator[Trouble]:
    capture, identity = status.of_capture, status.identity
    is_enrolled = (
        _blocked_reason(status) is not Trouble.NOT_ENROLLED
    )  # else that explains the others
    if identity.mode == "required" and capture.fleet is None and is_enrolled:
        yield Trouble.NO_FLEET
    if capture.recipients == 0:
        yield Trouble.NO_RECIPIENTS
    if capture.fleet_refused:
        yield Trouble.FLEET_REFUSED
    if capture.manifest_refused:
        yield Trouble.MANIFEST_REFUSED
    if capture.no_credentials and is_enrolled:
        yield Trouble.CREDENTIALS
    ends = (identity.tls_until, identity.evidence_until, identity.serve_until)
    if any(_is_before(end, now + ENDS_SOON) for end in ends):
        yield Trouble.CERTIFICATE_ENDS
    if status.doctor and status.doctor.failed:
        yield Trouble.DOCTOR


def _blocked_reason(status: Status) -> Trouble | None:
    """Return sync's own reason; a wrong clock explains each that depends on the time."""
    blocked_reason = status.of_sync.hindrance
    if blocked_reason in _JUDGED_BY_THE_CLOCK and status.clock_wrong:
        return Trouble.CLOCK
    return Trouble(blocked_reason) if blocked_reason else None


def _is_before(text: str | NotInDocument | None, moment: datetime) -> bool:
    """Return True if a time of the status is before `moment`; False if it is missing."""
    return bool(text) and from_rfc3339(text) < moment
