"""Time for which the camera streams on a round, and presses that find it warm."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from agent.capture.duties import TICK_S
from hardware.lift import STILL_S
from hardware.settings import CameraSettings
from tests.bench.policy.area import STOPS, Area
from tests.bench.policy.asked import DOOR_S, LAST, NEXT, Span, Walked, walked
from tests.bench.policy.warmth import WARM_S, wait_s

LINGER_S: Final = CameraSettings("simulated").linger_s
"""The default of `camera.linger_s`."""

WAKES_S: Final = 0.1
"""Longest time from a lift to the start of the camera. Source: `hardware/motion.py`."""


@dataclass(frozen=True, slots=True)
class Lift:
    """When the motion sensor of a device says that it is lifted: at each door, and on the way.

    Attributes:
        lasts_s: time for which it says so at a door.
        before_press_s: time from the beginning of this lift to the press.
        walks: it also says so while the driver walks: from door to door, and for DOOR_S before and
            after each press. False for a device that lies in the van until it is lifted.
        drives: it also says so while the van drives.
    """

    lasts_s: float
    before_press_s: float
    walks: bool = False
    drives: bool = False


@dataclass(frozen=True, slots=True)
class Streaming:
    """Hours of one area, the mean of its rounds.

    Attributes:
        waits: where the time between two doors is spent: "at the last door" or "at the next".
        round_h: from the first press to the last.
        all_h: the camera streamed.
        lingering_h: of these, only because a press had been served shortly before.
        wait_s: mean wait of a press with a photo for its first exposure.
        warm: share of these presses that wait for WARM_S at most.
    """

    area: str
    waits: str
    round_h: float
    all_h: float
    lingering_h: float
    wait_s: float
    warm: float


def rows(
    areas: Iterable[Area],
    rounds: int,
    seed: int,
    *,
    linger_s: float = LINGER_S,
    lift: Lift | None = None,
) -> list[Streaming]:
    """Walk `rounds` rounds in each area, twice: what really happens lies between the two.

    Other levers need no other walk.

    Args:
        areas: where.
        rounds: number of rounds in each area.
        seed: seed of the random numbers.
        linger_s: time for which the camera stays on after a photo.
        lift: how the device is lifted; None without a motion sensor.
    """
    return [
        _mean(area, waits, walked(area, rounds, seed, waits), linger_s, lift)
        for area in areas
        for waits in (LAST, NEXT)
    ]


def _mean(
    area: Area, waits: str, walked: Sequence[Walked], linger_s: float, lift: Lift | None
) -> Streaming:
    all_h = lingering_h = 0.0
    waits_s, rng = list[float](), random.Random(area.name)
    for one in walked:
        spans = streams(one, linger_s, lift)
        all_h += _hours(spans)
        lingering_h += _hours(spans) - _hours(streams(one, 0.0, lift))
        for pressed_s, is_photo in one.presses:
            if is_photo:
                waits_s.append(wait_s(_streamed_s(spans, pressed_s), rng))
    return Streaming(
        area.name,
        waits,
        area.pace_s * STOPS / 3600,
        all_h / len(walked),
        lingering_h / len(walked),
        fmean(waits_s),
        fmean(one <= WARM_S for one in waits_s),
    )


def streams(one: Walked, linger_s: float, lift: Lift | None) -> list[Span]:
    """Return when the camera streams."""
    permitted = _joined(_permitted(one, linger_s))
    if lift is None:
        return permitted
    return _common(permitted, _joined(sorted(_lifted(one, lift))))


def _permitted(one: Walked, linger_s: float) -> Iterator[Span]:
    photos = iter([pressed_s for pressed_s, is_photo in one.presses if is_photo])
    lingers_until_s, following_s = -math.inf, next(photos, math.inf)
    for moment in one.moments:
        if following_s <= moment.begin_s:
            lingers_until_s, following_s = following_s + linger_s, next(photos, math.inf)
        if moment.may:
            yield moment.begin_s, moment.end_s
        elif moment.may_linger and lingers_until_s > moment.begin_s:
            yield moment.begin_s, min(moment.end_s, lingers_until_s)


def _lifted(one: Walked, lift: Lift) -> Iterator[Span]:
    """Yield when lifts let the camera stream; the loop stops it at one of its turns."""
    for pressed_s, _ in one.presses:
        begin_s = pressed_s - lift.before_press_s
        yield begin_s + WAKES_S, begin_s + lift.lasts_s + TICK_S / 2
    moves = [*one.drives] if lift.drives else []
    if lift.walks:
        moves += one.walks
        moves += [(pressed_s - DOOR_S, pressed_s + DOOR_S) for pressed_s, _ in one.presses]
    for begin_s, end_s in moves:
        yield begin_s + WAKES_S, end_s + STILL_S + TICK_S / 2


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans that are ordered by their begin, with those as one that touch."""
    found: list[Span] = []
    for begin_s, end_s in spans:
        if found and begin_s <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end_s)
        else:
            found.append((begin_s, end_s))
    return found


def _common(some: list[Span], others: list[Span]) -> list[Span]:
    """Return what is within both; each is ordered and does not overlap itself."""
    found, first = list[Span](), 0
    for begin_s, end_s in some:
        while first < len(others) and others[first][1] <= begin_s:
            first += 1
        for other_begin_s, other_end_s in others[first:]:
            if other_begin_s >= end_s:
                break
            found.append((max(begin_s, other_begin_s), min(end_s, other_end_s)))
    return found


def _hours(spans: Iterable[Span]) -> float:
    return sum(end_s - begin_s for begin_s, end_s in spans) / 3600


def _streamed_s(spans: Iterable[Span], pressed_s: float) -> float | None:
    """Return for how long the camera has streamed at a press; None if it is stopped."""
    for begin_s, end_s in spans:
        if begin_s < pressed_s <= end_s:
            return pressed_s - begin_s
    return None
