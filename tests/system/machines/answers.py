"""Answers of a broken or hostile device in place of its JSON."""

from typing import Final

_DEPTH: Final = 30_000
"""Deeper than any parser goes, and shorter than the longest answer that is read."""

BAD: Final = {
    "nested lists": "[" * _DEPTH,
    "nested objects": '{"a":' * (_DEPTH // 3),
    "a whole nested one": "[" * _DEPTH + "]" * _DEPTH,
    "a nested member": '{"capture": ' + "[" * _DEPTH + "]" * _DEPTH + "}",
    "a number of 20,000 digits": '{"exit": ' + "9" * 20_000 + "}",
    "NaN": "NaN",
    "a number": "17",
    "a text": '"so"',
    "a list of lists": "[[], []]",
    "a list of nothing": "[null]",
    "numbers for words": '[{"check": 1, "level": "FAILED", "words": 2}]',
    "lists for words": '[{"check": [], "level": [], "words": []}]',
    "a member of another kind": '{"capture": "on", "release": {}, "outcome": [], "why": 7}',
    "another member": '{"capture": [1]}',
    "nothing": "",
    "no JSON": "Traceback (most recent call last):",
    "half of it": '{"capture": {"manifest": ',
}

SHALLOW: Final = tuple(range(1, 1_200, 7))
"""Depths of which some are read, and are too deep to be written."""


def nested(depth: int) -> str:
    """Return lists in lists."""
    return "[" * depth + "]" * depth
