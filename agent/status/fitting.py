"""Keeps a document to its size, whatever the texts in it say: the longest give way."""

import json
from typing import Any, Final

from agent.models import printable

TEXT_LIMIT_BYTES: Final = 128
"""Longest text, as JSON: more than any of Doorstep's own sentences that a process may quote."""

_LEAST_BYTES: Final = 8
"""Of a text where everything is wrong at once, which no device was seen to be."""

_TEXTS: Final = frozenset(
    {"error", "trouble", "what", "position", "fleet_refused", "manifest_refused"}
    | {"no_credentials", "last_answer", "pause"}
)
"""Members that hold words; all others are of a kind that cannot be long."""


def size_bytes(document: dict[str, Any]) -> int:
    """What it takes as compact JSON in ASCII."""
    return len(json.dumps(document, separators=(",", ":")))


def fitting(document: dict[str, Any], limit_bytes: int) -> dict[str, Any]:
    """The same with each text printable, in one line, and as short as it has to be."""
    most_bytes = TEXT_LIMIT_BYTES
    made = _cut(document, most_bytes)
    while size_bytes(made) > limit_bytes and most_bytes > _LEAST_BYTES:
        most_bytes //= 2
        made = _cut(document, most_bytes)
    return made


def _cut(part: dict[str, Any], most_bytes: int) -> dict[str, Any]:
    return {name: _one_cut(name, value, most_bytes) for name, value in part.items()}


def _one_cut(name: str, value: Any, most_bytes: int) -> Any:
    if isinstance(value, dict):
        return _cut(value, most_bytes)
    if isinstance(value, list):
        return [_one_cut(name, one, most_bytes) for one in value]
    return short(value, most_bytes) if name in _TEXTS and isinstance(value, str) else value


def short(text: str, most_bytes: int) -> str:
    """One line whose JSON keeps to the limit, whatever is in it: its middle says the least."""
    text = printable(text)
    shown, kept = text, min(len(text), most_bytes)
    while len(json.dumps(shown)) > most_bytes:
        kept -= max(2, kept // 10)
        shown = f"{text[: kept // 2]}...{text[len(text) - kept // 2 :]}"
    return shown
