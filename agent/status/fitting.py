"""Keeps a document to its size, whatever the texts in it say: the longest give way."""

import json
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from agent.models import printable
from agent.status.values import Status, compact

TEXT_LIMIT_BYTES: Final = 128
"""Longest text, as JSON: more than any of Doorstep's own sentences that a process may quote."""

_LEAST_BYTES: Final = 8
"""Least length of a text if all texts are long at once, which was never seen."""

_TEXTS: Final = frozenset(
    {"error", "trouble", "what", "position", "fleet_refused", "manifest_refused"}
    | {"no_credentials", "last_answer", "pause", "energy"}
)
"""Members that hold words; all others are of a kind that cannot be long."""


def fitting(status: Status, limit_bytes: int) -> Status:
    """Return the document with each text printable, in one line, and as short as necessary.

    Args:
        status: the document.
        limit_bytes: most bytes of its compact JSON.
    """
    most_bytes = TEXT_LIMIT_BYTES
    made: Status = _cut(status, most_bytes)
    while len(compact(made)) > limit_bytes and most_bytes > _LEAST_BYTES:
        most_bytes //= 2
        made = _cut(status, most_bytes)
    return made


def _cut(part: Any, most_bytes: int) -> Any:
    """Return a part of the document with its texts cut."""
    names = [one.name for one in fields(part)]
    changed = {name: _one_cut(name, getattr(part, name), most_bytes) for name in names}
    return replace(part, **changed)


def _one_cut(name: str, value: Any, most_bytes: int) -> Any:
    if is_dataclass(value):
        return _cut(value, most_bytes)
    if isinstance(value, tuple):
        return tuple(_one_cut(name, one, most_bytes) for one in value)
    return short(value, most_bytes) if name in _TEXTS and isinstance(value, str) else value


def short(text: str, most_bytes: int) -> str:
    """Shorten a text to one line whose JSON keeps the limit; the middle is left out."""
    text = printable(text)
    shown, kept = text, min(len(text), most_bytes)
    while len(json.dumps(shown)) > most_bytes:
        kept -= max(2, kept // 10)
        shown = f"{text[: kept // 2]}...{text[len(text) - kept // 2 :]}"
    return shown
