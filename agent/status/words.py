"""The status document in words, for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from agent.config import IdentityMode
from agent.status import identity
from agent.status.troubles import TOLD, Trouble

_NOTHING: Final = "nothing that a person must do"


def lines(status: dict[str, Any]) -> Iterator[str]:
    """First what a person must do; then what waits, since when and why; then how each part is."""
    yield f"device    {status['device']}, agent {status['agent']}"
    yield from _needs_lines(status["needs"])
    yield ""
    yield from _queue_lines(status["queue"])
    yield ""
    yield from _process_lines(status)
    yield from _device_lines(status)


def _needs_lines(needs: Sequence[str]) -> Iterator[str]:
    """Each takes two lines, and its remedy begins with where it is."""
    if not needs:
        yield f"all well  {_NOTHING}"
    for name in needs:
        told = TOLD[Trouble(name)]
        yield f"WRONG     {told.what}"
        yield f"do        {told.where}: {told.remedy}"


def _queue_lines(queue: dict[str, Any]) -> Iterator[str]:
    if "error" in queue:
        yield f"queue     {queue['error']}"
        return
    yield f"waiting   {_waiting_words(queue)}"
    if queue["why"]:
        told = TOLD[Trouble(queue["why"])]
        remedy = f"; {told.remedy}" if told.remedy.startswith("nothing") else ""
        yield f"why       {told.what}{remedy}"
    for alarm in queue["alarms"]:
        yield f"ALARM     {alarm['id']} {alarm['state']}: {alarm['what']}"


def _waiting_words(queue: dict[str, Any]) -> str:
    """What waits, and since when."""
    waiting = queue["waiting"]
    oldest = ", since" if waiting == 1 else ", the oldest since"
    since = f"{oldest} {_hour(queue['oldest_utc'])}" if queue["oldest_utc"] else ""
    suspect = f", {queue['suspected']} of them suspect" if queue["suspected"] else ""
    kept = f"; so it was on {_hour(queue['as_of'])}" if queue.get("as_of") else ""
    beside = ", ".join(f"{queue[name]} {name}" for name in ("refused", "damaged") if queue[name])
    known = f"{_counted(waiting, 'record')}{since}{suspect}" if waiting else "nothing"
    them = "beside them " if waiting else ""
    return known + (f"; {them}{beside}" if beside else "") + kept


def _process_lines(status: dict[str, Any]) -> Iterator[str]:
    capture = status["capture"] or {}
    yield f"capture   {_capture_words(status)}"
    yield f"sync      {_sync_words(status['sync'])}"
    parts = {name: status[name] for name in ("capture", "sync")}
    silent = [name for name, told in parts.items() if told is None or "error" in told]
    yield f"identity  {identity.words(status['identity'], silent)}"
    if status["identity"]["mode"] == IdentityMode.REQUIRED:
        yield from _fleet_lines(capture)
    yield from _manifest_lines(status["manifest"], capture)


def _device_lines(status: dict[str, Any]) -> Iterator[str]:
    yield f"disk      {_disk_words(status['disk'])}"
    if status["torn"]:
        yield f"torn      {_counted(status['torn'], 'file')} in torn/ did not verify"
    if status["doctor"]:
        yield f"doctor    {_doctor_words(status['doctor'])}"
    if missing := (status["capture"] or {}).get("no_credentials"):
        yield f"evidence  the last photo has no Content Credentials: {missing}"
    if status["bench_mode"]:
        yield "bench     bench mode is on: presses come through the socket and make test records"
    if not status["sealed"]:
        yield "sealing   off: photos are readable on the card, not for the road"


def _capture_words(status: dict[str, Any]) -> str:
    capture = status["capture"]
    if capture is None:
        return "not running"
    if "error" in capture:
        return str(capture["error"])
    told = [
        "ready" if capture.get("ready") else _not_ready(status, capture),
        "simulated board" if capture.get("simulated") else "",
        f"clock {capture.get('clock', 'unknown')}",
        f"position {capture.get('position', 'unknown')}",
        "no press for ten minutes" if capture.get("quiet") else "",
    ]
    return ", ".join(filter(None, told))


def _not_ready(status: dict[str, Any], capture: dict[str, Any]) -> str:
    """With its reason where that is known: a route that is missing is no need of its own."""
    has_identity = status["identity"]["mode"] == IdentityMode.REQUIRED
    disk = status["disk"]
    reasons = {
        "the card is full": disk["free_mb"] is not None and disk["free_mb"] < disk["reserve_mb"],
        "the card cannot be written": capture.get("writable") is False,
        "no fleet document yet": has_identity and capture.get("fleet", 0) is None,
        "nobody to seal photos to": capture.get("recipients") == 0,
        "no route now, the office gives one": capture.get("manifest") == "none",
    }
    reason = next((words for words, holds in reasons.items() if holds), None)
    return f"not ready: {reason}" if reason else "NOT READY"


def _fleet_lines(capture: dict[str, Any]) -> Iterator[str]:
    if "fleet" in capture:
        version = capture["fleet"]
        known = "none yet: presses are refused until sync brings one"
        yield f"fleet     {known if version is None else f'version {version}'}"
    if refused := capture.get("fleet_refused"):
        yield f"fleet     one was refused: {refused}"


def _manifest_lines(policy: str, capture: dict[str, Any]) -> Iterator[str]:
    version, until = capture.get("manifest", policy), capture.get("manifest_until")
    if version == "none":
        yield "manifest  none is valid now: presses are refused"
    elif version == "off":
        yield "manifest  off: no door is known where no photo may be taken"
    elif "manifest" in capture:
        yield f"manifest  version {version}{f', until {_hour(until)}' if until else ''}"
    if refused := capture.get("manifest_refused"):
        yield f"manifest  one was refused: {refused}"


def _sync_words(sync: dict[str, Any] | None) -> str:
    if sync is None:
        return "not running"
    if "error" in sync:
        return str(sync["error"])
    contact, answer, pause = (sync.get(name) for name in ("last_contact", "last_answer", "pause"))
    told = [
        sync.get("state", "in an unknown state") + (f": {pause}" if pause else ""),
        f"last contact {_hour(contact)}" if contact else "no contact yet",
        f"last answer: {answer}" if answer and answer != pause else "",
        f"goes on in {sync['waits_s']} s" if sync.get("waits_s") else "",
    ]
    return ", ".join(filter(None, told))


def _disk_words(disk: dict[str, Any]) -> str:
    if disk["free_mb"] is None:
        return str(disk["error"])
    low = "" if disk["free_mb"] >= disk["reserve_mb"] else ": TOO LITTLE, presses are refused"
    return f"about {disk['free_mb']} MB free, {disk['reserve_mb']} MB kept in reserve{low}"


def _doctor_words(doctor: dict[str, Any]) -> str:
    found = f"found: {', '.join(doctor['failed'])}" if doctor["failed"] else "found nothing"
    return f"last ran {_hour(doctor['utc'])}, {found}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _hour(utc: str) -> str:
    """Seen to be an hour: nobody's minutes are told, and 16:00 alone reads as wrong at 16:58."""
    hour = int(utc[11:13])
    return f"{utc[:10]} between {hour:02}:00 and {hour + 1:02}:00 UTC"
