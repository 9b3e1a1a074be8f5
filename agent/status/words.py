"""The status document in words, for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

from agent.config import IdentityMode
from agent.status import identity
from agent.status.troubles import TOLD, Trouble


def lines(status: dict[str, Any]) -> Iterator[str]:
    """First what a person must do; then what waits, since when and why; then how each part is."""
    yield f"device    {status['device']}, agent {status['agent']}, manifest {status['manifest']}"
    yield from _needs_lines(status["needs"])
    yield from _queue_lines(status["queue"])
    yield f"sync      {_sync_words(status['sync'])}"
    yield f"capture   {_capture_words(status['capture'])}"
    yield f"identity  {identity.words(status['identity'])}"
    if status["identity"]["mode"] == IdentityMode.REQUIRED:
        yield from _fleet_lines(status["capture"] or {})
    yield from _manifest_lines(status["capture"] or {})
    yield f"disk      {_disk_words(status['disk'])}"
    if status["torn"]:
        yield f"torn      {status['torn']} files did not verify after a power cut; see torn/"
    if status["doctor"]:
        yield f"doctor    {_doctor_words(status['doctor'])}"
    if status["bench_mode"]:
        yield "bench     bench mode is on: presses come through the socket and make test records"
    yield "sealing   none yet: not for the road"


def _needs_lines(needs: Sequence[str]) -> Iterator[str]:
    if not needs:
        yield "all well  nothing that a person must do"
    for name in needs:
        told = TOLD[Trouble(name)]
        yield f"WRONG     {told.what}"
        yield f"do        {told.where}: {told.remedy}"


def _queue_lines(queue: dict[str, Any]) -> Iterator[str]:
    if "error" in queue:
        yield f"queue     {queue['error']}"
        return
    yield f"queue     {_queue_words(queue)}"
    if queue["why"]:
        yield f"why       {TOLD[Trouble(queue['why'])].what}"
    for alarm in queue["alarms"]:
        yield f"ALARM     {alarm['id']} {alarm['state']}: {alarm['what']}"


def _capture_words(capture: dict[str, Any] | None) -> str:
    if capture is None:
        return "not running"
    if "error" in capture:
        return str(capture["error"])
    ready = "ready" if capture.get("ready") else "NOT READY"
    board = "simulated board, " if capture.get("simulated") else ""
    clock, position = (capture.get(name, "unknown") for name in ("clock", "position"))
    return f"{ready}, {board}clock {clock}, position {position}"


def _fleet_lines(capture: dict[str, Any]) -> Iterator[str]:
    if "fleet" in capture:
        version = capture["fleet"]
        known = "none yet: presses are refused until sync brings one"
        yield f"fleet     {known if version is None else f'version {version}'}"
    if refused := capture.get("fleet_refused"):
        yield f"fleet     one was refused: {refused}"


def _manifest_lines(capture: dict[str, Any]) -> Iterator[str]:
    version, refused = capture.get("manifest", "off"), capture.get("manifest_refused")
    if version == "none":
        yield "manifest  none is valid now: presses are refused"
    elif version != "off":
        yield f"manifest  version {version}"
    if refused:
        yield f"manifest  one was refused: {refused}"


def _sync_words(sync: dict[str, Any] | None) -> str:
    if sync is None:
        return "not running"
    if "error" in sync:
        return str(sync["error"])
    contact, answer = sync.get("last_contact"), sync.get("last_answer")
    told = [
        sync.get("state", "in an unknown state"),
        f"last contact {_hour(contact)}" if contact else "no contact yet",
        f"last answer: {answer}" if answer else "",
        f"goes on in {sync['waits_s']:.0f} s" if sync.get("waits_s") else "",
    ]
    return ", ".join(words for words in told if words)


def _queue_words(queue: dict[str, Any]) -> str:
    """Times to the hour: a person reads them."""
    since = f" since {_hour(queue['oldest_utc'])}" if queue["oldest_utc"] else ""
    kept = f" (at {_hour(queue['as_of'])}; nobody has the queue open)" if queue.get("as_of") else ""
    return (
        f"{queue['waiting']} waiting{since}, {queue['suspected']} suspect, "
        f"{queue['refused']} refused, {queue['damaged']} damaged{kept}"
    )


def _disk_words(disk: dict[str, Any]) -> str:
    if disk["free_mb"] is None:
        return str(disk["error"])
    low = "" if disk["free_mb"] >= disk["reserve_mb"] else ": TOO LITTLE, presses are refused"
    return f"about {disk['free_mb']} MB free, {disk['reserve_mb']} MB kept in reserve{low}"


def _doctor_words(doctor: dict[str, Any]) -> str:
    found = f"found: {', '.join(doctor['failed'])}" if doctor["failed"] else "found nothing"
    return f"last ran {_hour(doctor['utc'])}, {found}"


def _hour(utc: str) -> str:
    return f"{utc[:10]} {utc[11:13]}:00 UTC"
