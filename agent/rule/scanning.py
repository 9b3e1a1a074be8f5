"""The code that was read, and how long it speaks; pure but for what it remembers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.rule import reach
from agent.rule.manifest import Manifest, RouteStop
from agent.rule.reach import Place

OPENS_S: Final = 60.0
"""How long after it was read a code opens a door where place allows no photo; nothing renews it.

Longer, and the code of one door opens the next ones: with 15 minutes, 13 to 54 photos in 100
presses at forbidden doors instead of 1 to 4. Source: `python -m tests.rounds`, "if codes lasted".
"""

BOUND_S: Final = 900.0
"""How long a code that was read waits for its photo: from the van to the door of a large building,
and back for the second parcel."""

AGAIN_S: Final = 60.0
"""How long after a photo its code names the stop of a further one: a second parcel, or a retake."""

AWAY_M: Final = 100.0
"""How far from its first photo a code still binds: beyond that it is another address."""


def choose(manifest: Manifest, codes: Iterable[str]) -> str | None:
    """Which of the codes in one picture is meant; None to look on.

    A label has several, and those that the manifest does not have are passed over.
    Two parcels in one picture leave it open which is meant.
    """
    known = [code for code in codes if _is_known(manifest, code)]
    is_one = len({_means(manifest, code) for code in known}) == 1
    return known[0] if is_one else None


def unknown(manifest: Manifest, codes: Iterable[str]) -> tuple[str, ...]:
    """The codes in one picture, where the manifest has none of them; () where it has one."""
    seen = tuple(codes)
    return () if any(_is_known(manifest, code) for code in seen) else seen


def _is_known(manifest: Manifest, code: str) -> bool:
    return code in manifest.practice_codes or any(code in stop.codes for stop in manifest.stops)


def _means(manifest: Manifest, code: str) -> object:
    named = reach.named(manifest, code)
    return named.id if isinstance(named, RouteStop) else named


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was read and still speaks for a press.

    Attributes:
        opens: whether it may still open a door where place allows no photo.
    """

    text: str
    opens: bool


@dataclass(frozen=True, slots=True)
class _Bound:
    """A code, when it was read, and its first and last photo."""

    code: str
    read_ns: int
    place: Place | None = None
    photo_ns: int | None = None


class Scan:
    """What was scanned; all times are CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._bound: _Bound | None = None

    def bind(self, code: str, now_ns: int) -> None:
        """From now on this code names the stop."""
        self._bound = _Bound(code, now_ns)

    def code(self, now_ns: int, here: Place | None) -> Code | None:
        """The code that speaks now, `here` (None where nobody knows); it was read before."""
        bound = self._bound
        if bound is None or now_ns < bound.read_ns:
            return None
        is_old = now_ns - bound.read_ns > BOUND_S * 1e9
        is_over = bound.photo_ns is not None and now_ns - bound.photo_ns > AGAIN_S * 1e9
        if bound.place and here:
            is_away = reach.distance_m(bound.place, here) > AWAY_M
        else:  # its photo was taken where nobody knew, and now somebody does
            is_away = bound.photo_ns is not None and here is not None
        if is_old or is_over or is_away:
            self._bound = None
            return None
        return Code(bound.code, opens=now_ns - bound.read_ns <= OPENS_S * 1e9)

    def used(self, now_ns: int, here: Place | None) -> None:
        """A photo was bound by the code, `here`."""
        if self._bound is not None:
            place = self._bound.place or here
            self._bound = _Bound(self._bound.code, self._bound.read_ns, place, now_ns)

    def refused(self) -> None:
        """A press with this code was refused: it must not speak for the next door."""
        self._bound = None
