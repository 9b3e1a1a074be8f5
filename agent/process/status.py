"""One status document for the terminal, later for HTTP and the backend.

It stays under 2 KB and takes the same time however long the queue is.
It has no places, no codes, and no count of what was delivered: that would measure a person's pace.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, Final

from agent import __version__
from agent.config import Config, IdentityMode
from agent.errors import DoorstepError
from agent.models import Item, printable
from agent.process import control, identity
from agent.queue.disk import free_bytes
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader

ALARMS: Final = 5
"""How many items are named one by one; more make the document grow past 2 KB."""

TEXT_LIMIT_BYTES: Final = 85
"""Longest text in the document, as JSON: twelve at most, beside some 1,000 bytes of numbers."""

_TEXT: Final = str | None
_NUMBER: Final = int | float
_MEMBERS: Final[dict[str, type | UnionType]] = {
    **dict.fromkeys(("ready", "writable", "streaming", "simulated"), bool),
    **dict.fromkeys(("position", "clock", "state"), str),
    **dict.fromkeys(("fleet_refused", "manifest_refused"), _TEXT),
    **dict.fromkeys(("last_contact", "last_answer", "pause"), _TEXT),
    **dict.fromkeys(("tls_until", "identity_trouble"), _TEXT),
    "fleet": int | None,
    "manifest": int | str,
    "waits_s": _NUMBER,
}
"""What capture and sync say of themselves; all else that one of them says is left out."""

_LARGEST: Final = 2**53
"""Largest number that every reader of JSON has exactly. Source: RFC 8259, section 6."""

_ASK_TIMEOUT_S: Final = 2.0
"""Longest wait for what a process says of itself: somebody waits at a terminal."""


def document(config: Config, outbox: OutboxReader) -> dict[str, Any]:
    """Put together the status as JSON types; parts that do not answer are null or say why."""
    layout = Layout.of(config.state)
    capture, sync = ask(layout.capture_socket), ask(layout.sync_socket)
    return {
        "device": config.device.id,
        "agent": __version__,
        "identity": _shortened(identity.identity(config, sync)),
        "manifest": config.policy.manifest,
        "bench_mode": config.device.bench_mode,
        "sealed": False,
        "queue": _queue(outbox),
        "torn": torn(layout.torn),
        "disk": _disk(config, layout),
        "capture": capture,
        "sync": sync and {name: sync[name] for name in sync if name not in identity.BY_SYNC},
    }


def ask(socket: Path) -> dict[str, Any] | None:
    """What a running process says of itself; None when it does not run."""
    try:
        answer = control.ask(socket, {"status": True}, _ASK_TIMEOUT_S)
    except DoorstepError as error:
        return {"error": _short(str(error))}
    if answer is None:
        return None
    return _shortened(_believable(answer))


def _believable(told: dict[str, Any]) -> dict[str, Any]:
    """The members that are as expected: another process may say anything."""
    return {
        name: told[name]
        for name, kind in _MEMBERS.items()
        if name in told and isinstance(told[name], kind) and _is_exact(told[name])
    }


def _is_exact(value: object) -> bool:
    return not isinstance(value, _NUMBER) or abs(value) <= _LARGEST


def _shortened(told: dict[str, Any]) -> dict[str, Any]:
    return {name: _short(one) if isinstance(one, str) else one for name, one in told.items()}


def torn(folder: Path) -> int | None:
    """How many files did not verify; None where this user may not look."""
    try:
        return sum(1 for _ in folder.iterdir())
    except FileNotFoundError:
        return 0
    except OSError:
        return None


def lines(status: dict[str, Any]) -> Iterator[str]:
    """Say the same in words, for a terminal."""
    queue, disk = status["queue"], status["disk"]
    yield f"device    {status['device']}, agent {status['agent']}, manifest {status['manifest']}"
    yield f"identity  {identity.words(status['identity'])}"
    yield f"capture   {_capture_words(status['capture'])}"
    if status["identity"]["mode"] == IdentityMode.REQUIRED:
        yield from _fleet_lines(status["capture"] or {})
    yield from _manifest_lines(status["capture"] or {})
    yield f"sync      {_sync_words(status['sync'])}"
    yield f"queue     {_queue_words(queue)}"
    if status["torn"]:
        yield f"torn      {status['torn']} files did not verify after a power cut; see torn/"
    yield f"disk      {disk}" if isinstance(disk, str) else f"disk      {_disk_words(disk)}"
    if status["bench_mode"]:
        yield "bench     bench mode is on: presses come through the socket and make test records"
    yield "sealing   none yet: not for the road"
    for alarm in queue.get("alarms", ()):
        yield f"ALARM     {alarm['id']} {alarm['state']}: {alarm['what']}"


def _queue(outbox: OutboxReader) -> dict[str, Any]:
    try:
        counts, alarms = outbox.counts(), outbox.alarms(ALARMS)
    except DoorstepError as error:
        return {"error": _short(str(error))}
    told = _shortened(asdict(counts))
    return {**told, "alarms": [_alarm(item) for item in alarms]}


def _alarm(item: Item) -> dict[str, str]:
    state = "SUSPECT" if item.suspected and item.state == "PENDING" else str(item.state)
    return {"id": item.capture_id, "state": state, "what": _short(item.answer or "")}


def _short(text: str) -> str:
    """One line whose JSON keeps to the limit, whatever is in it: its middle says the least."""
    text = printable(text)
    kept = len(text)
    shown = text
    while len(json.dumps(shown)) > TEXT_LIMIT_BYTES:
        kept -= max(2, kept // 10)
        shown = f"{text[: kept // 2]}...{text[len(text) - kept // 2 :]}"
    return shown


def _disk(config: Config, layout: Layout) -> dict[str, int] | str:
    try:
        free_mb = free_bytes(layout.state) // 1_000_000
    except DoorstepError as error:
        return _short(str(error))
    return {"free_mb": free_mb, "reserve_mb": config.state.reserve_mb}


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
        f"last contact {contact}" if contact else "no contact yet",
        f"last answer: {answer}" if answer else "",
        f"goes on in {sync['waits_s']:.0f} s" if sync.get("waits_s") else "",
    ]
    return ", ".join(words for words in told if words)


def _queue_words(queue: dict[str, Any]) -> str:
    if "error" in queue:
        return str(queue["error"])
    since = f" since {queue['oldest_utc']}" if queue["oldest_utc"] else ""
    return (
        f"{queue['waiting']} waiting{since}, {queue['suspected']} suspect, "
        f"{queue['refused']} refused, {queue['damaged']} damaged"
    )


def _disk_words(disk: dict[str, int]) -> str:
    low = "" if disk["free_mb"] >= disk["reserve_mb"] else ": TOO LITTLE, presses are refused"
    return f"{disk['free_mb']} MB free, {disk['reserve_mb']} MB kept in reserve{low}"
