"""The status document: for a terminal, for whoever asks `doorstep serve`, and for the backend.

It stays within 1,500 bytes and takes the same time however long the queue is.
It has no places, no codes, and of somebody's pace no more than who asks each second could see from
what waits: no count of what was delivered, times to the hour, free space to two digits, and not
whether the camera is on.
"""

import math
import os
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from agent import __version__
from agent.config import Config, Seal
from agent.errors import DoorstepError
from agent.models import Item, State, from_rfc3339, rfc3339, to_the_hour
from agent.process import control
from agent.queue.disk import disk_errors, room_bytes
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.status import causes, findings, identity, troubles
from agent.status.fitting import fitting
from hardware.clock import ClockSource

VERSION: Final = 1

LIMIT_BYTES: Final = 1_500
"""Of the document, as compact JSON: 2,000 characters in a header."""

ALARMS: Final = 1
"""How many items are named one by one; `doorstep queue` and `/v1/captures` name all."""

_LARGEST: Final = 2**53
"""Largest number that every reader of JSON has exactly. Source: RFC 8259, section 6."""

_MOST: Final = 999_999
"""Counts and seconds end here: a queue holds a fifth, and others may have written any number."""

_TORN_COUNTED: Final = 1_000
"""Counting more would take time; a person looks at the first."""

_WORD: Final = re.compile(r"[a-z_]{1,10}")


def _is_flag(told: object) -> bool:
    return isinstance(told, bool)


def _is_count(told: object) -> bool:
    return type(told) is int and 0 <= told <= _LARGEST


def _is_seconds(told: object) -> bool:
    return isinstance(told, int | float) and not _is_flag(told) and 0 <= told <= _MOST


def _is_word(told: object) -> bool:
    return isinstance(told, str) and _WORD.fullmatch(told) is not None


def _is_version(told: object) -> bool:
    return _is_count(told) or _is_word(told)


def _is_text(told: object) -> bool:
    return isinstance(told, str)


def _is_hindrance(told: object) -> bool:
    return isinstance(told, str) and told in troubles.HINDRANCES


_MEMBERS: Final[dict[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("ready", "writable", "simulated", "quiet"), _is_flag),
    **dict.fromkeys(("has_fix", "frames_come"), _is_flag),
    **dict.fromkeys(("clock", "state"), _is_word),
    **dict.fromkeys(("position", "fleet_refused", "manifest_refused"), _is_text),
    **dict.fromkeys(("last_answer", "pause", "identity_trouble", "no_credentials"), _is_text),
    **dict.fromkeys(("fleet", "recipients", "battery_pct"), _is_count),
    "waits_s": _is_seconds,
    "manifest": _is_version,
    "hindrance": _is_hindrance,
}
"""What capture and sync say of themselves; all else that one of them says is left out."""

_MAY_BE_NULL: Final = frozenset(
    {"fleet", "fleet_refused", "recipients", "manifest_refused", "last_answer", "pause"}
    | {"identity_trouble", "hindrance", "no_credentials"}
)

_TIMES: Final = frozenset(
    {"manifest_until", "evidence_until", "serve_until", "tls_until", "last_contact"}
)
"""Of these, times or null."""

_OF_CAPTURE: Final = (
    *("ready", "writable", "simulated", "quiet", "position", "clock"),
    *("fleet", "fleet_refused", "recipients"),
    *("manifest", "manifest_until", "manifest_refused"),
    "no_credentials",
)
_OF_SYNC: Final = ("state", "last_contact", "last_answer", "pause", "waits_s", "hindrance")
"""What each may say in its part; neither speaks for the other, nor in `identity`."""

_ASK_TIMEOUT_S: Final = 2.0
"""Longest wait for what a process says of itself: somebody waits at a terminal."""

_COUNTS: Final = ("waiting", "suspected", "refused", "damaged")


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
        "needs": [],
        "identity": identity.identity(config, capture, told, now),
        "manifest": config.policy.manifest,
        "bench_mode": config.device.bench_mode,
        "sealed": config.policy.seal is Seal.REQUIRED,
        "queue": dict(queue),
        "torn": torn(layout),
        "disk": _disk(config, layout),
        "clock_wrong": identity.wrong_clock(now) is not None,
        "capture": _only(capture, _OF_CAPTURE),
        "sync": _only(told, _OF_SYNC),
        "doctor": findings.read(layout),
    }
    made["queue"]["why"] = causes.why_waits(made)
    made["needs"] = causes.needs(made, now)
    return fitting(made, LIMIT_BYTES)


def queue_part(outbox: OutboxReader) -> dict[str, Any]:
    """What the document says of the queue, or why it cannot."""
    try:
        counts, alarms = outbox.counts(), outbox.alarms(ALARMS)
        oldest = outbox.items(State.PENDING, 0, 1) if counts.waiting else []
    except DoorstepError as error:
        return {"error": str(error)}
    dated = [item.utc for item in oldest if item.clock != ClockSource.UNSYNCED]
    return {
        **{name: min(getattr(counts, name), _MOST) for name in _COUNTS},
        "oldest_utc": _hour(dated[0]) if dated else None,
        "oldest_suspect": any(item.suspected for item in oldest),
        "alarms": [_alarm(item) for item in alarms],
    }


def ask(socket: Path) -> dict[str, Any] | None:
    """What a running process says of itself; None when it does not run."""
    try:
        answer = control.ask(socket, {"status": True}, _ASK_TIMEOUT_S)
    except DoorstepError as error:
        return {"error": str(error)}
    return None if answer is None else believable(answer)


def believable(told: dict[str, Any]) -> dict[str, Any]:
    """The members that are as expected: another process may say anything."""
    kept = {name: told[name] for name in _MEMBERS if name in told and _is_as_expected(name, told)}
    if "waits_s" in kept:
        kept["waits_s"] = math.ceil(kept["waits_s"])
    return kept | {name: _hour(told[name]) for name in _TIMES if name in told}


def believable_queue(told: dict[str, Any]) -> dict[str, Any]:
    """A queue's part that capture kept, as far as it is as expected."""
    counts = {name: min(told[name], _MOST) for name in _COUNTS if _is_count(told.get(name))}
    if len(counts) < len(_COUNTS):
        error = told.get("error")
        unknown = "what capture kept of the queue cannot be read"
        return {"error": error if isinstance(error, str) else unknown}
    times = {name: _hour(told.get(name)) for name in ("oldest_utc", "as_of")}
    return {**counts, **times, "oldest_suspect": told.get("oldest_suspect") is True, "alarms": []}


def torn(layout: Layout) -> int | None:
    """How many files did not verify, 1,000 for more; None where this user may not look."""
    try:
        with os.scandir(layout.torn) as entries:  # `iterdir` would read all names first
            return sum(1 for _ in islice(entries, _TORN_COUNTED))
    except FileNotFoundError:
        return 0
    except OSError:
        return None


def _is_as_expected(name: str, told: dict[str, Any]) -> bool:
    if told[name] is None:
        return name in _MAY_BE_NULL
    return _MEMBERS[name](told[name])


def _only(told: dict[str, Any] | None, names: Collection[str]) -> dict[str, Any] | None:
    return told and {name: told[name] for name in ("error", *names) if name in told}


def _hour(told: object) -> str | None:
    """A time to the hour; None of what is no time."""
    try:
        return rfc3339(to_the_hour(from_rfc3339(told)))
    except ValueError:
        return None


def _alarm(item: Item) -> dict[str, str]:
    state = "SUSPECT" if item.suspected and item.state == "PENDING" else str(item.state)
    return {"id": item.capture_id, "state": state, "what": item.answer or ""}


def _disk(config: Config, layout: Layout) -> dict[str, Any]:
    """As capture measures it before a press."""
    reserve_mb = config.state.reserve_mb
    try:
        with disk_errors("cannot ask for the free space"):
            free_mb = max(room_bytes(layout.state, layout.ballast), 0) // 1_000_000
    except DoorstepError as error:
        return {"free_mb": None, "reserve_mb": reserve_mb, "error": str(error)}
    return {"free_mb": shown_mb(free_mb, reserve_mb), "reserve_mb": reserve_mb}


def shown_mb(free_mb: int, reserve_mb: int) -> int:
    """Two digits, rounded down: each photo takes half a megabyte, and would be counted by it.

    Never across the reserve: a card that has just enough is not said to be full.
    """
    unit = int(10 ** max(len(str(free_mb)) - 2, 0))
    rounded_mb = free_mb // unit * unit
    return max(rounded_mb, reserve_mb) if free_mb >= reserve_mb else rounded_mb
