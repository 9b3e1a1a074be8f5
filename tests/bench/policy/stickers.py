"""What a label opens that somebody with an order on the route put up at a forbidden door."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.rule import reach
from agent.rule.manifest import PhotoRule, RouteStop
from agent.rule.policy import Allowed, decide
from agent.rule.scanning import Code
from tests.bench.policy import walk
from tests.bench.policy.area import Area
from tests.bench.policy.rules import circle_of, is_confirmed
from tests.bench.policy.tally import VISITS
from tests.bench.policy.walk import Door

Owner = Callable[[Sequence[RouteStop], Door, random.Random], RouteStop]

OWNERS: Final[dict[str, Owner]] = {
    "anybody on the route": lambda stops, _, dice: dice.choice(stops),
    "the nearest on the route": lambda stops, door, _: min(
        stops, key=lambda stop: reach.distance_m(stop, door.stop)
    ),
}
"""Whose label it is, of the stops that allow photos."""


@dataclass(frozen=True, slots=True)
class Row:
    """Of 100 presses at forbidden doors with this label held up.

    Attributes:
        photos_pct: a photo was taken.
        shown_pct: and its owner sees it, without dispatch having looked.
    """

    area: str
    owner: str
    photos_pct: float
    shown_pct: float


def rows(areas: Iterable[Area], rounds: int, seed: int) -> list[Row]:
    """Walk `rounds` rounds in each area."""
    return [row for area in areas for row in _area(area, rounds, seed)]


def _area(area: Area, rounds: int, seed: int) -> list[Row]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in OWNERS}
    for number in range(rounds):
        dice = random.Random(f"{seed}/{area.name}/{number}")
        doors = walk.doors(area, dice)
        route = walk.manifest(doors)
        open_to = [stop for stop in route.stops if stop.photo is PhotoRule.ALLOWED]
        for press in walk.presses(area, doors, dice, VISITS):
            if press.door.stop.photo is not PhotoRule.NO_PHOTO:
                continue
            for name, owner in OWNERS.items():
                label = owner(open_to, press.door, dice).codes[0]
                answer = decide(route, circle_of(press), Code(label, opens=True))
                counts[name]["presses"] += 1
                counts[name]["photos"] += isinstance(answer, Allowed)
                counts[name]["shown"] += isinstance(answer, Allowed) and is_confirmed(answer.stop)
    return [_row(area, name, found) for name, found in counts.items()]


def _row(area: Area, owner: str, counts: Counter[str]) -> Row:
    photos_pct, shown_pct = (100 * counts[name] / counts["presses"] for name in ("photos", "shown"))
    return Row(area.name, owner, photos_pct, shown_pct)
