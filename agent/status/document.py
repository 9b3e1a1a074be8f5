"""One status document for the terminal, later for HTTP and the backend.

It stays under 2 KB and takes the same time however long the queue is.
It has no places, no codes, and no count of what was delivered: that would measure a person's pace.
"""

import json
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, Final

from agent import __version__
from agent.config import Config
from agent.errors import DoorstepError
from agent.models import Item, printable
from agent.process import control
from agent.queue.disk import free_bytes
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.status import identity

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
