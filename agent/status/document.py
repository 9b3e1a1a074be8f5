"""The status document: for a terminal, for whoever asks `doorstep serve`, and for the backend.

It stays under 1,500 bytes and takes the same time however long the queue is.
It has no places, no codes, and nothing from which somebody's pace could be read: no count of what
was delivered, times to the hour, free space to two digits, and not whether the camera is on.
"""

import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any, Final

from agent import __version__
from agent.config import Config
from agent.errors import DoorstepError
from agent.models import Item, State, from_rfc3339, printable, rfc3339
from agent.process import control
from agent.queue.disk import free_bytes, read_plain
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.status import identity, troubles
from hardware.clock import ClockSource

VERSION: Final = 1

LIMIT_BYTES: Final = 1_500
"""Of the document, as compact JSON: 2,000 characters in a header."""

ALARMS: Final = 1
"""How many items are named one by one; `doorstep queue` and `/v1/captures` name all."""

TEXT_LIMIT_BYTES: Final = 64
"""Longest text in the document, as JSON: ten at most, beside some 850 bytes of numbers."""

_TEXT: Final = str | None
_NUMBER: Final = int | float
_MEMBERS: Final[dict[str, type | UnionType]] = {
    **dict.fromkeys(("ready", "writable", "simulated", "quiet"), bool),
    **dict.fromkeys(("position", "clock", "state"), str),
    **dict.fromkeys(("fleet_refused", "manifest_refused"), _TEXT),
    **dict.fromkeys(("last_answer", "pause"), _TEXT),
    **dict.fromkeys(("identity_trouble",), _TEXT),
    "fleet": int | None,
    "manifest": int | str,
    "waits_s": _NUMBER,
}
"""What capture and sync say of themselves; all else that one of them says is left out."""

_TIMES: Final = frozenset(
    {"manifest_until", "evidence_until", "serve_until", "tls_until", "last_contact"}
)
"""Of these, times or null."""

_LARGEST: Final = 2**53
"""Largest number that every reader of JSON has exactly. Source: RFC 8259, section 6."""

_ASK_TIMEOUT_S: Final = 2.0
"""Longest wait for what a process says of itself: somebody waits at a terminal."""

_COUNTS: Final = ("waiting", "suspected", "refused", "damaged")

_DOCTOR_LIMIT_BYTES: Final = 4_096
_CHECKS_SHOWN: Final = 3
_CHECK: Final = re.compile(r"[a-z ]{1,20}")
"""The name of a check of `doorstep doctor`."""


def document(
    config: Config,
    queue: dict[str, Any],
    *,
    sync: dict[str, Any] | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Put together the status as JSON types; parts that do not answer are null or say why.

    Args:
        config: the whole of it.
        queue: from `queue_part`, or kept.
        sync: what sync says of itself, where it is sync that asks.
        now: the time; by default this machine's.
    """
    layout, now = Layout.of(config.state), now or datetime.now(UTC)
    capture = ask(layout.capture_socket)
    told = ask(layout.sync_socket) if sync is None else believable(sync)
    made: dict[str, Any] = {
        "v": VERSION,
        "device": config.device.id,
        "agent": __version__,
        "utc": rfc3339(now.replace(second=0, microsecond=0)),
        "identity": _shortened(identity.identity(config, capture, told)),
        "manifest": config.policy.manifest,
        "bench_mode": config.device.bench_mode,
        "sealed": False,
        "queue": dict(queue),
        "torn": torn(layout),
        "disk": _disk(config, layout),
        "clock_wrong": identity.wrong_clock(now) is not None,
        "capture": _without(capture, identity.BY_CAPTURE),
        "sync": _without(told, identity.BY_SYNC),
        "doctor": _doctor(layout),
    }
    made["queue"]["why"] = troubles.why_waits(made)
    return {**made, "needs": troubles.needs(made, now)}


def queue_part(outbox: OutboxReader) -> dict[str, Any]:
    """What the document says of the queue, or why it cannot."""
    try:
        counts, alarms = outbox.counts(), outbox.alarms(ALARMS)
        oldest = outbox.items(State.PENDING, 0, 1) if counts.waiting else []
    except DoorstepError as error:
        return {"error": _short(str(error))}
    dated = [item for item in oldest if item.clock != ClockSource.UNSYNCED]
    return {
        **{name: getattr(counts, name) for name in _COUNTS},
        "oldest_utc": _hour(dated[0].utc) if dated else None,
        "oldest_suspect": any(item.suspected for item in oldest),
        "alarms": [_alarm(item) for item in alarms],
    }


def ask(socket: Path) -> dict[str, Any] | None:
    """What a running process says of itself; None when it does not run."""
    try:
        answer = control.ask(socket, {"status": True}, _ASK_TIMEOUT_S)
    except DoorstepError as error:
        return {"error": _short(str(error))}
    return None if answer is None else believable(answer)


def believable(told: dict[str, Any]) -> dict[str, Any]:
    """The members that are as expected: another process may say anything."""
    kept = {
        name: told[name]
        for name, kind in _MEMBERS.items()
        if name in told and isinstance(told[name], kind) and _is_exact(told[name])
    }
    times = {name: _hour_or_none(told[name]) for name in _TIMES if name in told}
    hindrance = {"hindrance": told["hindrance"]} if _is_hindrance(told) else {}
    return _shortened({**kept, **times, **hindrance})


def believable_queue(told: dict[str, Any]) -> dict[str, Any]:
    """A queue's part that capture kept, as far as it is as expected."""
    counts = {
        name: told[name] for name in _COUNTS if type(told.get(name)) is int and told[name] >= 0
    }
    if len(counts) < len(_COUNTS):
        return {"error": _short(str(told.get("error", "what capture kept of it cannot be read")))}
    times = {name: _hour_or_none(told.get(name)) for name in ("oldest_utc", "as_of")}
    return {**counts, **times, "oldest_suspect": told.get("oldest_suspect") is True, "alarms": []}


def torn(layout: Layout) -> int | None:
    """How many files did not verify; None where this user may not look."""
    try:
        return sum(1 for _ in layout.torn.iterdir())
    except FileNotFoundError:
        return 0
    except OSError:
        return None


def _is_hindrance(told: dict[str, Any]) -> bool:
    found = told.get("hindrance")
    return isinstance(found, str) and found in troubles.HINDRANCES


def _is_exact(value: object) -> bool:
    return not isinstance(value, _NUMBER) or abs(value) <= _LARGEST


def _without(told: dict[str, Any] | None, names: Collection[str]) -> dict[str, Any] | None:
    return told and {name: value for name, value in told.items() if name not in names}


def _hour(utc: str) -> str:
    """To the hour, downwards: when exactly is a record of somebody's pace."""
    return rfc3339(from_rfc3339(utc).replace(minute=0, second=0, microsecond=0))


def _hour_or_none(found: object) -> str | None:
    try:
        return _hour(str(found))
    except ValueError:
        return None


def _shortened(told: dict[str, Any]) -> dict[str, Any]:
    return {name: _short(one) if isinstance(one, str) else one for name, one in told.items()}


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


def _disk(config: Config, layout: Layout) -> dict[str, Any]:
    reserve_mb = config.state.reserve_mb
    try:
        free_mb = free_bytes(layout.state) // 1_000_000
    except DoorstepError as error:
        return {"free_mb": None, "reserve_mb": reserve_mb, "error": _short(str(error))}
    return {"free_mb": _two_digits(free_mb), "reserve_mb": reserve_mb}


def _two_digits(number: int) -> int:
    """Rounded down: each photo takes half a megabyte, and would be counted by it."""
    unit = int(10 ** max(len(str(number)) - 2, 0))
    return number // unit * unit


def _doctor(layout: Layout) -> dict[str, Any] | None:
    """When `doorstep doctor` last ran, and which of its checks failed; None where it never did."""
    try:
        found = json.loads(read_plain(layout.doctor_file, _DOCTOR_LIMIT_BYTES) or b"")
        failed = [one for one in found["failed"] if _CHECK.fullmatch(one)]
        return {"utc": _hour(found["utc"]), "failed": failed[:_CHECKS_SHOWN]}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
