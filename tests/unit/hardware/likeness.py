"""Compares every pair of signals by light, motor and tone, and the colours of those that are alike.

Two signals are alike for a sense if they differ for less than LEAST_MS in their first second.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from math import hypot
from typing import Final

from hardware.indicator import Colour, Signal
from hardware.patterns import DARK, PATTERNS, Step, step_at

SECOND_MS: Final = 1_000
"""Time within which a driver must know a signal: then the hand with the device goes down."""

LEAST_MS: Final = 120
"""The shortest beat: what two rhythms differ by must be as long as a beat that is felt."""

SLIP_MS: Final = 60
"""A person does not know when a rhythm began, to about half a beat."""

FOR_TECHNICIANS: Final = frozenset({Signal.BENCH, Signal.LOCATE})
"""Signals that no driver at work gets."""

COMPARED: Final = tuple(
    signal for signal in Signal if signal not in FOR_TECHNICIANS | {Signal.EXPOSED}
)
"""The signals that a driver must tell apart; EXPOSED is the darkness between two of them."""

ANSWERS: Final = tuple(
    signal for signal in COMPARED if any(step.vibrate for step in PATTERNS[signal].once)
)
"""The answers to a press, which motor and tone give too."""

SENSES: Final[Mapping[str, Callable[[Step], bool]]] = {
    "light": lambda step: step.colour != DARK,
    "motor": lambda step: step.vibrate,
    "tone": lambda step: step.tone_hz is not None,
}

FAR_ENOUGH: Final = 58.0
"""Least distance of two colours that share a rhythm, in the a*b* plane of CIELAB.

25 just noticeable differences of 2.3 (Mahy et al., "Evaluation of uniform color spaces developed
after the adoption of CIELAB and CIELUV", 1994): nobody sees the two lights side by side. Lightness
does not count, because the sun and the lid of the case change it.
"""

SIGHTS: Final[Mapping[str, tuple[tuple[float, float, float], ...]]] = {
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
"""Linear RGB as people see it who lack a kind of cone.

Source: Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color
Vision Deficiency", 2009: the matrices of severity 1.0.
"""

_TO_XYZ: Final = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE_XYZ: Final = (0.95047, 1.0, 1.08883)
"""Linear sRGB to XYZ, and its white D65. Source: IEC 61966-2-1; the LED is treated as sRGB."""


def rhythm(signal: Signal, sense: str) -> tuple[bool, ...]:
    """Return the first second of a signal for one sense: on or off for each millisecond."""
    is_on, pattern = SENSES[sense], PATTERNS[signal]
    return tuple(is_on(step_at(pattern, (ms + 0.5) / 1_000)[0]) for ms in range(SECOND_MS))


def difference_ms(one: Signal, other: Signal, sense: str, slip_ms: int = 0) -> int:
    """Return how long two signals differ in their first second, if one slips as it fits best."""
    first, second = rhythm(one, sense), rhythm(other, sense)
    return min(
        sum(map(bool.__ne__, first, slipped(second, by_ms)))
        for by_ms in range(-slip_ms, slip_ms + 1)
    )


def slipped(rhythm: tuple[bool, ...], by_ms: int) -> tuple[bool, ...]:
    """Return a rhythm that begins `by_ms` later, or earlier if that is negative."""
    pause = (False,) * abs(by_ms)
    return (*pause, *rhythm)[:SECOND_MS] if by_ms >= 0 else (*rhythm[-by_ms:], *pause)


def alike(signals: tuple[Signal, ...], sense: str, slip_ms: int = 0) -> list[tuple[Signal, Signal]]:
    """Return the pairs of signals that are alike for a sense."""
    return [
        pair for pair in combinations(signals, 2) if difference_ms(*pair, sense, slip_ms) < LEAST_MS
    ]


def colour(signal: Signal) -> Colour:
    """Return the colour of a signal's light."""
    pattern = PATTERNS[signal]
    return next(step.colour for step in (*pattern.once, *pattern.again) if step.colour != DARK)


def distance(one: Colour, other: Colour, sight: str) -> float:
    """Return the distance of two colours in the a*b* plane, for people with this sight."""
    return hypot(*(a - b for a, b in zip(_ab(one, sight), _ab(other, sight), strict=True)))


def _ab(colour: Colour, sight: str) -> tuple[float, float]:
    """Return a* and b* of CIELAB. Source: CIE 15."""
    seen = _times(SIGHTS[sight], (colour.red, colour.green, colour.blue))
    xyz = _times(_TO_XYZ, tuple(min(1.0, max(0.0, part)) for part in seen))
    x, y, z = (_cube_root(part / white) for part, white in zip(xyz, _WHITE_XYZ, strict=True))
    return 500 * (x - y), 200 * (y - z)


def _cube_root(part: float) -> float:
    return part ** (1 / 3) if part > (6 / 29) ** 3 else part / (3 * (6 / 29) ** 2) + 4 / 29


def _times(matrix: tuple[tuple[float, ...], ...], of: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, of, strict=True)) for row in matrix)
