"""Reads what capture and sync say of themselves, and what capture kept of the queue.

Another process may say anything, so the status takes only members that it knows, and of these only
values of the right kind.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from agent.errors import DoorstepError
from agent.models import from_rfc3339, rfc3339, to_the_hour
from agent.process import control
from agent.queue.paths import Layout
from agent.status.troubles import BLOCKED_REASONS
from agent.status.values import CapturePart, PartFailed, QueueFailed, QueuePart, SyncPart

MOST: Final = 999_999
"""Largest count or seconds: a queue holds a fifth, but others may have written any number."""

_MOST_ENERGY: Final = 999
"""Largest watt-hours, hours and watts: no battery for a hand holds as much."""

_LARGEST: Final = 2**53
"""Largest number that every reader of JSON has exactly. Source: RFC 8259, section 6."""

_WORD: Final = re.compile(r"[a-z_]{1,10}")

_ASK_TIMEOUT_S: Final = 2.0
"""Longest wait for the answer of a process, because a person waits at a terminal."""


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """All that capture says: its part of the status, and values for `identity` and for doctor."""

    part: CapturePart = field(default_factory=CapturePart)
    evidence_until: str | None = None
    serve_until: str | None = None
    has_fix: bool | None = None
    frames_come: bool | None = None
    battery_pct: int | None = None
    external: bool | None = None
    watts: float | None = None


@dataclass(frozen=True, slots=True)
class SyncReport:
    """All that sync says: its part of the status, and values for `identity`."""

    part: SyncPart = field(default_factory=SyncPart)
    tls_until: str | None = None
    identity_trouble: str | None = None
    renewal_due: bool = False


def _is_flag(told: object) -> bool:
    return isinstance(told, bool)


def _is_count(told: object) -> bool:
    return type(told) is int and 0 <= told <= _LARGEST


def _is_energy(told: object) -> bool:
    return type(told) in {int, float} and 0 <= told <= _MOST_ENERGY  # type: ignore[operator]


def _is_seconds(told: object) -> bool:
    return isinstance(told, int | float) and not _is_flag(told) and 0 <= told <= MOST


def _is_word(told: object) -> bool:
    return isinstance(told, str) and _WORD.fullmatch(told) is not None


def _is_version(told: object) -> bool:
    return _is_count(told) or _is_word(told)


def _is_text(told: object) -> bool:
    return isinstance(told, str)


def _is_blocked_reason(told: object) -> bool:
    return isinstance(told, str) and told in BLOCKED_REASONS


_MEMBERS: Final[Mapping[str, Callable[[object], bool]]] = {
    **dict.fromkeys(("ready", "writable", "simulated", "quiet", "renewal_due"), _is_flag),
    **dict.fromkeys(("has_fix", "frames_come", "external"), _is_flag),
    **dict.fromkeys(("clock", "state"), _is_word),
    **dict.fromkeys(("position", "energy", "fleet_refused", "manifest_refused"), _is_text),
    **dict.fromkeys(("last_answer", "pause", "identity_trouble", "no_credentials"), _is_text),
    **dict.fromkeys(("fleet", "recipients", "battery_pct", "batch_minutes"), _is_count),
    **dict.fromkeys(("used_wh", "hours_left", "mean_w", "watts"), _is_energy),
    "waits_s": _is_seconds,
    "manifest": _is_version,
    "hindrance": _is_blocked_reason,
}
"""The members that capture and sync say of themselves, with their kinds; `_TIMES` has the times."""

_MAY_BE_NULL: Final = frozenset(
    {"fleet", "fleet_refused", "recipients", "manifest_refused", "last_answer", "pause"}
    | {"identity_trouble", "hindrance", "no_credentials", "used_wh", "hours_left", "mean_w"}
)

_TIMES: Final = frozenset(
    {"manifest_until", "evidence_until", "serve_until", "tls_until", "last_contact"}
)
"""The members that are times or null."""

_COUNTS: Final = ("waiting", "suspected", "refused", "damaged")


def ask_capture(layout: Layout) -> CaptureReport | PartFailed | None:
    """Return what capture says of itself; None if it does not run."""
    told = _ask(layout.capture_socket)
    return capture_report(told) if isinstance(told, dict) else told


def ask_sync(layout: Layout) -> SyncReport | PartFailed | None:
    """Return what sync says of itself; None if it does not run."""
    told = _ask(layout.sync_socket)
    return sync_report(told) if isinstance(told, dict) else told


def _ask(socket: Path) -> dict[str, Any] | PartFailed | None:
    try:
        return control.ask(socket, {"status": True}, _ASK_TIMEOUT_S)
    except DoorstepError as error:
        return PartFailed(str(error))


def capture_report(told: Mapping[str, Any]) -> CaptureReport:
    """Return the members of capture's answer that are of the right kind."""
    known = _believable(told)
    return CaptureReport(CapturePart(**_of(CapturePart, known)), **_of(CaptureReport, known))


def sync_report(told: Mapping[str, Any]) -> SyncReport:
    """Return the members of sync's answer that are of the right kind."""
    known = _believable(told)
    return SyncReport(SyncPart(**_of(SyncPart, known)), **_of(SyncReport, known))


def queue_kept(told: Mapping[str, Any]) -> QueuePart | QueueFailed:
    """Return what capture kept of the queue, as far as it is of the right kind."""
    counts = {name: min(told[name], MOST) for name in _COUNTS if _is_count(told.get(name))}
    if len(counts) < len(_COUNTS):
        error = told.get("error")
        unknown = "what capture kept of the queue cannot be read"
        return QueueFailed(error if isinstance(error, str) else unknown)
    oldest_utc, as_of = (to_hour(told.get(name)) for name in ("oldest_utc", "as_of"))
    is_suspect = told.get("oldest_suspect") is True
    return QueuePart(**counts, oldest_utc=oldest_utc, as_of=as_of, oldest_suspect=is_suspect)


def to_hour(told: object) -> str | None:
    """Return a time to the hour; None if `told` is no time."""
    try:
        return rfc3339(to_the_hour(from_rfc3339(told)))
    except ValueError:
        return None


def _believable(told: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: told[name] for name in _MEMBERS if name in told and _is_as_expected(name, told)}
    if "waits_s" in kept:
        kept["waits_s"] = math.ceil(kept["waits_s"])
    digits = {"used_wh": None, "hours_left": None, "mean_w": 2, "watts": 2}
    for name in digits.keys() & kept.keys():
        kept[name] = kept[name] and round(kept[name], digits[name])  # not 20 digits, nor a null's
    return kept | {name: to_hour(told[name]) for name in _TIMES if name in told}


def _is_as_expected(name: str, told: Mapping[str, Any]) -> bool:
    if told[name] is None:
        return name in _MAY_BE_NULL
    return _MEMBERS[name](told[name])


def _of(kind: type[Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of this kind of value: neither process may speak for the other."""
    return {one.name: known[one.name] for one in fields(kind) if one.name in known}
