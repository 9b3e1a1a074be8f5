"""The code that was read, and the press that it counts for; only `LastCode` keeps state."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from agent.rule import reach
from agent.rule.manifest import Manifest, RouteStop
from agent.rule.reach import Circle

OPENS_S: Final = 60.0
"""Time for which a read code permits a photo where place alone does not; no photo extends it.

If a code lasted longer, it would open the next doors too: with 15 minutes, 13 to 54 photos in 100
presses at forbidden doors instead of 1 to 4.
Source: `python -m tests.bench.policy`, "if codes lasted".
"""

WAITS_S: Final = 300.0
"""Time that a code waits for its press: the way from the van to the door of a large building.

A code that gets no press, because the parcel was handed over in person, waits for the next door's
press. With 2 minutes it would bind 1.9 to 9.3 wrong photos in 1,000 presses instead of 2.1 to 10.9,
but 15 of 100 labels would be read too early for their own press. With 1 minute it would bind 1.6 to
8.2, but 20 of 100 labels would be read too early, and 23 to 57 of 100 photos would wait for
dispatch; with 15 minutes it would bind 2.3 to 11.4. The simulation reads labels up to 5 minutes
before their press. This is an assumption, so the 5 minutes repeat it and are no finding.
Source: `python -m tests.bench.policy`, "how long a label speaks" (2026-11-29).
"""

WITHIN_M: Final = 100.0
"""Distance from the place of reading within which a code counts: the van may be so far away.

Errors of both positions count in favour of the code. With 25 m, 1.3 to 6.0 of 100 labels would no
longer count for their own press. Without a limit, in the suburb 13.6 photos in 1,000 presses would
wait for dispatch under a wrong order instead of 6.9; customers would see no more wrong ones,
because a photo is shown only near its stop. Source: as for `WAITS_S`.
"""


def choose(manifest: Manifest, codes: Iterable[str]) -> str | None:
    """Choose the code that is meant by one picture; None to continue looking.

    A label has several codes, and those that the manifest does not have are ignored. If two
    parcels are in the picture, it is unclear which one is meant.
    """
    known = [code for code in codes if _is_known(manifest, code)]
    is_one = len({_means(manifest, code) for code in known}) == 1
    return known[0] if is_one else None


def unknown(manifest: Manifest, codes: Iterable[str]) -> tuple[str, ...]:
    """Return the codes in one picture if the manifest has none of them; otherwise ()."""
    seen = tuple(codes)
    return () if any(_is_known(manifest, code) for code in seen) else seen


def _is_known(manifest: Manifest, code: str) -> bool:
    return code in manifest.practice_codes or any(code in stop.codes for stop in manifest.stops)


def _means(manifest: Manifest, code: str) -> object:
    named = reach.named(manifest, code)
    return named.id if isinstance(named, RouteStop) else named


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was read and still counts for a press.

    Attributes:
        opens: True if it still permits a photo where place alone does not.
    """

    text: str
    opens: bool


@dataclass(frozen=True, slots=True)
class _Read:
    """A code that was read, with time and place, and the end of the time for a retake with it."""

    code: str
    read_ns: int
    here: Circle | None
    again_until_ns: int | None = None


class LastCode:
    """The last code that was read; it names the stop of one press.

    All times are CLOCK_MONOTONIC. Nothing is stored: after a restart no code counts.

    Args:
        waits_s: time after reading for which a code counts.
        within_m: distance from the place of reading within which a code counts. The simulation of
            rounds compares other values of both.
    """

    def __init__(self, waits_s: float = WAITS_S, within_m: float = WITHIN_M) -> None:
        self._waits_s = waits_s
        self._within_m = within_m
        self._read: _Read | None = None

    def bind(self, code: str, now_ns: int, here: Circle | None) -> None:
        """Keep a code that was read `here` (None if that is unknown): it replaces the last one.

        It counts for the next press. If the same code is read again, its time starts again.
        """
        self._read = _Read(code, now_ns, here)

    def code(self, at_ns: int, here: Circle | None) -> Code | None:
        """Return the code that counts for a press that began at `at_ns`, `here`, or None.

        It changes nothing: a press that began in time may be served late.
        """
        read = self._read
        if read is None or at_ns < read.read_ns or not self._speaks(read, at_ns, here):
            return None
        return Code(read.code, opens=at_ns - read.read_ns <= OPENS_S * 1e9)

    def _speaks(self, read: _Read, at_ns: int, here: Circle | None) -> bool:
        if read.again_until_ns is not None:
            return at_ns <= read.again_until_ns
        is_away = read.here and here and reach.least_apart_m(read.here, here) > self._within_m
        return at_ns - read.read_ns <= self._waits_s * 1e9 and not is_away

    def served(self, again_until_ns: int | None) -> None:
        """End the code, because a press was served; it may count for one retake, and only for one.

        Args:
            again_until_ns: until when the retake may begin; None if no retake was asked for, or if
                the press was not bound by the code.
        """
        read = self._read
        may_repeat = read and read.again_until_ns is None and again_until_ns is not None
        self._read = replace(read, again_until_ns=again_until_ns) if read and may_repeat else None

    def clear(self) -> None:
        """End the code, because the driver took something back."""
        self._read = None
