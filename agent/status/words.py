"""The status document in words, for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Final

from agent.config import IdentityMode
from agent.status.troubles import TROUBLE_TEXTS, Trouble
from agent.status.values import (
    MOST_HOURS,
    NOT_IN_DOCUMENT,
    CapturePart,
    DiskPart,
    DoctorPart,
    IdentityPart,
    PartFailed,
    QueueFailed,
    QueuePart,
    Status,
    SyncPart,
)

_NOTHING: Final = "nothing that a person must do"

_TOLD_BY: Final = {"capture": "the evidence certificate", "sync": "the TLS certificate"}


def lines(status: Status) -> Iterator[str]:
    """Yield what a person must do, then what waits and why, then the state of each part."""
    yield f"device    {status.device}, agent {status.agent}"
    yield from _needs_lines(status.needs)
    yield ""
    yield from _queue_lines(status.queue)
    yield ""
    yield from _process_lines(status)
    yield from _device_lines(status)


def _needs_lines(needs: Sequence[str]) -> Iterator[str]:
    """Yield two lines for each trouble; its remedy begins with the place."""
    if not needs:
        yield f"all well  {_NOTHING}"
    for name in needs:
        text = TROUBLE_TEXTS[Trouble(name)]
        yield f"WRONG     {text.what}"
        yield f"do        {text.where}: {text.remedy}"


def _queue_lines(queue: QueuePart | QueueFailed) -> Iterator[str]:
    if isinstance(queue, QueueFailed):
        yield f"queue     {queue.error}"
        return
    yield f"waiting   {_waiting_words(queue)}"
    if queue.why:
        text = TROUBLE_TEXTS[Trouble(queue.why)]
        remedy = f"; {text.remedy}" if text.remedy.startswith("nothing") else ""
        yield f"why       {text.what}{remedy}"
    for alarm in queue.alarms:
        yield f"ALARM     {alarm.id} {alarm.state}: {alarm.what}"


def _waiting_words(queue: QueuePart) -> str:
    """Describe what waits, and since when."""
    waiting = queue.waiting
    oldest = ", since" if waiting == 1 else ", the oldest since"
    since = f"{oldest} {_hour(queue.oldest_utc)}" if queue.oldest_utc else ""
    suspect = f", {queue.suspected} of them suspect" if queue.suspected else ""
    kept = f"; so it was on {_hour(queue.as_of)}" if queue.as_of else ""
    counts = {"refused": queue.refused, "damaged": queue.damaged}
    beside = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    known = f"{_counted(waiting, 'record')}{since}{suspect}" if waiting else "nothing"
    them = "beside them " if waiting else ""
    return known + (f"; {them}{beside}" if beside else "") + kept


def _process_lines(status: Status) -> Iterator[str]:
    yield f"capture   {_capture_words(status)}"
    yield f"sync      {_sync_words(status.sync)}"
    parts = {"capture": status.capture, "sync": status.sync}
    silent = [name for name, part in parts.items() if part is None or isinstance(part, PartFailed)]
    yield f"identity  {identity_words(status.identity, silent)}"
    if status.identity.mode == IdentityMode.REQUIRED:
        yield from _fleet_lines(status.of_capture)
    yield from _manifest_lines(status.manifest, status.of_capture)


def identity_words(identity: IdentityPart, silent: Sequence[str] = ()) -> str:
    """Say until when this device's certificates are valid, and what is wrong.

    Args:
        identity: that part of the status.
        silent: which of capture and sync do not answer: of theirs nothing is known.
    """
    if identity.mode == IdentityMode.OFF:
        return "off: anybody may say that they are this device; for the bench only"
    known = {
        "TLS": identity.tls_until,
        "evidence": identity.evidence_until,
        "serve": identity.serve_until,
    }
    ends = [f"{what} until {until[:10]}" for what, until in known.items() if until]
    text = f"certificates: {', '.join(ends)}" if ends else "no certificate known"
    unknown = [f"{_TOLD_BY[name]} is not known while {name} does not answer" for name in silent]
    known_first = text if ends or not silent else None
    return "; ".join(filter(None, [known_first, *unknown, identity.trouble or None]))


def _device_lines(status: Status) -> Iterator[str]:
    yield f"disk      {_disk_words(status.disk)}"
    yield from _energy_lines(status.of_capture)
    if status.torn:
        yield f"torn      {_counted(status.torn, 'file')} in torn/ did not verify"
    if status.doctor:
        yield f"doctor    {_doctor_words(status.doctor)}"
    if missing := status.of_capture.no_credentials:
        yield f"evidence  the last photo has no Content Credentials: {missing}"
    if status.bench_mode:
        yield "bench     bench mode is on: presses come through the socket and make test records"
    if not status.sealed:
        yield "sealing   off: photos are readable on the card, not for the road"


def _capture_words(status: Status) -> str:
    capture = status.capture
    if capture is None:
        return "not running"
    if isinstance(capture, PartFailed):
        return capture.error
    text = [
        "ready" if capture.ready else _not_ready(status, capture),
        "simulated board" if capture.simulated else "",
        f"clock {'unknown' if capture.clock is NOT_IN_DOCUMENT else capture.clock}",
        f"position {'unknown' if capture.position is NOT_IN_DOCUMENT else capture.position}",
        "no press for ten minutes" if capture.quiet else "",
    ]
    return ", ".join(filter(None, text))


def _not_ready(status: Status, capture: CapturePart) -> str:
    """Describe why capture is not ready, if known: a missing route is no trouble of its own."""
    has_identity, disk = status.identity.mode == IdentityMode.REQUIRED, status.disk
    reasons = {
        "the card is full": disk.free_mb is not None and disk.free_mb < disk.reserve_mb,
        "the card cannot be written": capture.writable is False,
        "no fleet document yet": has_identity and capture.fleet is None,
        "nobody to seal photos to": capture.recipients == 0,
        "no route now, the office gives one": capture.manifest == "none",
    }
    reason = next((words for words, holds in reasons.items() if holds), None)
    return f"not ready: {reason}" if reason else "NOT READY"


def _fleet_lines(capture: CapturePart) -> Iterator[str]:
    if (version := capture.fleet) is not NOT_IN_DOCUMENT:
        known = "none yet: presses are refused until sync brings one"
        yield f"fleet     {known if version is None else f'version {version}'}"
    if refused := capture.fleet_refused:
        yield f"fleet     one was refused: {refused}"


def _manifest_lines(policy: str, capture: CapturePart) -> Iterator[str]:
    version, until = capture.manifest, capture.manifest_until
    if version is NOT_IN_DOCUMENT:
        version = policy
    if version == "none":
        yield "manifest  none is valid now: presses are refused"
    elif version == "off":
        yield "manifest  off: no door is known where no photo may be taken"
    elif capture.manifest is not NOT_IN_DOCUMENT:
        yield f"manifest  version {version}{f', until {_hour(until)}' if until else ''}"
    if refused := capture.manifest_refused:
        yield f"manifest  one was refused: {refused}"


def _sync_words(sync: SyncPart | PartFailed | None) -> str:
    if sync is None:
        return "not running"
    if isinstance(sync, PartFailed):
        return sync.error
    contact, answer, pause = sync.last_contact, sync.last_answer, sync.pause
    state = "in an unknown state" if sync.state is NOT_IN_DOCUMENT else sync.state
    if state == "batch":
        state = "waiting for its next batch"
    text = [
        f"{state}: {pause}" if pause else state,
        f"last contact {_hour(contact)}" if contact else "no contact yet",
        f"last answer: {answer}" if answer and answer != pause else "",
        f"goes on in {sync.waits_s} s" if sync.waits_s else "",
        f"sends every {sync.batch_minutes} minutes" if sync.batch_minutes else "",
    ]
    return ", ".join(filter(None, text))


def _energy_lines(capture: CapturePart) -> Iterator[str]:
    """Yield the figures of the energy and what is wrong with them, if anything is known."""
    used_wh, hours_left, mean_w = capture.used_wh, capture.hours_left, capture.mean_w
    more = " or more" if hours_left == MOST_HOURS else ""
    text = [
        f"at least {used_wh} Wh since unplugged" if isinstance(used_wh, int) else "",
        f"{_counted(hours_left, 'hour')}{more} left" if isinstance(hours_left, int) else "",
        f"{mean_w} W in the last whole shift" if isinstance(mean_w, int | float) else "",
        capture.energy if capture.energy not in {"ok", NOT_IN_DOCUMENT} else "",
    ]
    if any(text):
        yield f"energy    {', '.join(filter(None, text))}"


def _disk_words(disk: DiskPart) -> str:
    if disk.free_mb is None:
        return disk.error or "not known"
    low = "" if disk.free_mb >= disk.reserve_mb else ": TOO LITTLE, presses are refused"
    return f"about {disk.free_mb} MB free, {disk.reserve_mb} MB kept in reserve{low}"


def _doctor_words(doctor: DoctorPart) -> str:
    found = f"found: {', '.join(doctor.failed)}" if doctor.failed else "found nothing"
    return f"last ran {_hour(doctor.utc)}, {found}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _hour(utc: str) -> str:
    """Describe an hour as a span: no minutes are known, and 16:00 alone reads as wrong at 16:58."""
    hour = int(utc[11:13])
    return f"{utc[:10]} between {hour:02}:00 and {hour + 1:02}:00 UTC"
