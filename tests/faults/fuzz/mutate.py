"""Makes an input from genuine samples; the same seed, number and samples give the same bytes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.fuzz.shapes import SHAPES, Shape, edited

EDITS_MOST: Final = 6
"""Edits of one input: with more of them, most inputs fail at their first byte."""

GROWS: Final = 40
"""Inputs for each one that grows up to the parser's longest input."""

_NUMBERS: Final = tuple(
    number.to_bytes(width, order)
    for width in (1, 2, 4, 8)
    for number in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
    for order in ("big", "little")
)
"""Counts and lengths at the ends of their ranges."""

_WORDS: Final = (
    b"\0", b"\n", b"\r\n", b"=", b"%00", b"%ff", b"..", b"/", b"\\", b'"', b"-", b"-> ", b"--- ",
    b"\xff\xd8", b"\xff\xda", b"\xff\xd9", b"\xed\xa0\x80", b"\xc3\x28", "\u2028".encode(),
    b"9" * 5_000, b"1e999", b"NaN", b"null", b"[" * 100_000, b'{"a":' * 20_000, b"[]," * 10_000,
    "\u0661".encode(), b"::1%", b"+00:00", b"2026-12-01T09:15:02Z", b"9999-12-31T23:59:59Z",
)  # fmt: skip
"""Pieces that parsers treat specially."""


@dataclass(frozen=True, slots=True)
class Mutator:
    """The source of one parser's inputs.

    Attributes:
        samples: genuine inputs, and findings of before.
        shape: what the samples are built of.
        most_bytes: the longest input that reaches the parser.
    """

    samples: Sequence[bytes]
    shape: Shape
    most_bytes: int

    def make(self, seed: int, number: int) -> bytes:
        """Return input `number`; the first ones are the samples themselves."""
        if number < len(self.samples):
            return self.samples[number]
        rng = random.Random(f"{seed}:{number}")
        content = rng.choice(self.samples)
        for _ in range(rng.randint(1, EDITS_MOST)):
            if self.shape in SHAPES and rng.random() < 0.6:
                content = edited(self.shape, content, rng)
            else:
                content = _edited_bytes(content, rng, self.samples)
        if rng.randrange(GROWS) == 0:
            content = _grown(content, rng, self.most_bytes)
        return content[: self.most_bytes]


def _edited_bytes(content: bytes, rng: random.Random, samples: Sequence[bytes]) -> bytes:
    edit = rng.choice(_EDITS)
    return edit(content, rng) if content else rng.choice(samples)


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    """Return a short range, or sometimes a long one."""
    begin = rng.randrange(len(content))
    longest = len(content) if rng.random() < 0.1 else 64
    return begin, min(begin + rng.randint(1, longest), len(content))


def _flip(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def _set(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + rng.randbytes(1) + content[at + 1 :]


def _insert(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.choice((*_WORDS, rng.randbytes(4))) + content[at:]


def _overwrite(content: bytes, rng: random.Random) -> bytes:
    at, number = rng.randrange(len(content)), rng.choice(_NUMBERS)
    return content[:at] + number + content[at + len(number) :]


def _delete(content: bytes, rng: random.Random) -> bytes:
    begin, end = _span(content, rng)
    return content[:begin] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    begin, end = _span(content, rng)
    return content[:end] + content[begin:end] * rng.choice((1, 1, 2, 30)) + content[end:]


def _move(content: bytes, rng: random.Random) -> bytes:
    begin, end = _span(content, rng)
    rest = content[:begin] + content[end:]
    at = rng.randrange(len(rest) + 1)
    return rest[:at] + content[begin:end] + rest[at:]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


_EDITS: Final[Sequence[Callable[[bytes, random.Random], bytes]]] = (
    _flip, _flip, _set, _set, _insert, _overwrite, _overwrite, _delete, _repeat, _move, _cut,
)  # fmt: skip


def _grown(content: bytes, rng: random.Random, most_bytes: int) -> bytes:
    """Repeat one range until the input is long; all lengths above the sample's are as likely."""
    if not content or len(content) >= most_bytes:
        return content
    longest = int(len(content) * (most_bytes / len(content)) ** rng.random())
    begin, end = _span(content, rng)
    times = (longest - len(content)) // (end - begin)
    return content[:begin] + content[begin:end] * times + content[begin:]
