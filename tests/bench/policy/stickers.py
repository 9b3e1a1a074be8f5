"""What a label opens that somebody with an order on the route put up at a forbidden door."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from agent.rule import reach
from agent.rule.manifest import PhotoRule, RouteStop
from agent.rule.policy import Allowed, decide
from agent.rule.scanning import Code
from tests.bench.policy import walk
from tests.bench.policy.area import Area
from tests.bench.policy.rules import circle_of, is_confirmed
from tests.bench.policy.tally import VISITS, Column, Rows, empty_rows
from tests.bench.policy.walk import Door

Owner = Callable[[Sequence[RouteStop], Door, random.Random], RouteStop]

OWNERS: Final[dict[str, Owner]] = {
    "anybody on the route": lambda stops, _, rng: rng.choice(stops),
    "the nearest on the route": lambda stops, door, _: min(
        stops, key=lambda stop: reach.distance_m(stop, door.stop)
    ),
}
"""The owner of the label, of the stops that allow photos."""

COLUMNS: Final[tuple[Column, ...]] = (
    ("photos", lambda row: f"{row.pct('photos', 'presses'):.1f}"),
    ("shown", lambda row: f"{row.pct('shown', 'presses'):.1f}"),
)
"""`shown` are photos that the owner sees, although dispatch has not looked."""


def rows(areas: Sequence[Area], rounds: int, seed: int) -> Rows:
    """Walk `rounds` rounds in each area."""
    found = empty_rows(areas, OWNERS, rounds)
    for one in walk.rounds(areas, rounds, seed):
        route = walk.manifest(one.doors)
        open_to = [stop for stop in route.stops if stop.photo is PhotoRule.ALLOWED]
        for press in walk.presses(one.area, one.doors, one.rng, VISITS):
            if press.door.stop.photo is not PhotoRule.NO_PHOTO:
                continue
            for name, owner in OWNERS.items():
                label = owner(open_to, press.door, one.rng).codes[0]
                answer = decide(route, circle_of(press), Code(label, opens=True))
                is_photo = isinstance(answer, Allowed)
                counts = found[one.area.name, name].counts
                counts["presses"] += 1
                counts["photos"] += is_photo
                counts["shown"] += is_photo and is_confirmed(answer.stop)
    return found
