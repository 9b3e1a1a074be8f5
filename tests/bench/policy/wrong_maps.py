"""Photos that a wrong map files under a neighbour's order, and for how long a stranger sees them.

The device binds by the product's own rule. The shares and times of what people do are assumed.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from agent.models import BoundBy
from agent.rule import reach
from agent.rule.manifest import RouteStop
from agent.rule.policy import Allowed
from tests.bench.policy import walk
from tests.bench.policy.area import Area, Spot
from tests.bench.policy.parcels import SCANNED
from tests.bench.policy.rules import Driver, every_label, with_labels
from tests.bench.policy.tally import Column, Rows, empty_rows
from tests.bench.policy.walk import Door, Press

WRONG: Final = 0.05
"""Share of buildings whose position the map has exchanged with that of a neighbour."""

TIMES: Final = 10
"""Rounds for each round that the command asks for: such photos are rare in a dense street."""

REPORTS: Final = (0.0, 0.25, 0.5, 1.0)
"""Shares of customers who report "not my door" when they see another one."""

LOOKS_H: Final = (2.0, 24.0)
"""Hours from a delivery to the look at its photo: median and 95 % (lognormal)."""

CLOSES_H: Final = (0.5, 8.0)
"""Hours from a report until a dispatcher closes its case: least and most."""

MISTAKEN: Final = 0.05
"""Share of cases that a dispatcher closes as "correct" by mistake: the photo is shown again."""

COLUMNS: Final[tuple[Column, ...]] = (
    ("shown", lambda row: f"{row.per_1000('shown'):.2f}"),
    ("after 1 h", lambda row: f"{row.per_1000('1'):.2f}"),
    ("", lambda row: f"{row.pct('1', 'shown'):.0f} %"),
    ("after 1 day", lambda row: f"{row.per_1000('24'):.2f}"),
    ("", lambda row: f"{row.pct('24', 'shown'):.0f} %"),
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo under a stranger's order, and what that customer and the office make of it.

    Attributes:
        of: the stop whose door it shows; `order` is that of the customer who sees it.
        reporter: the customer reports it if a larger share of customers does.
        looks_h: when the customer looks at it; `closes_h` is the end of the case of a report.
    """

    of: str
    order: str
    at_h: float
    reporter: float
    looks_h: float
    closes_h: float
    is_mistaken: bool

    def is_seen(self, photos: Iterable["Photo"], share: float, after_h: float) -> bool:
        """Return whether the customer of `order` can still see it after some time.

        A dispatcher who moves a photo to its order finds a wrong photo there, and corrects it too.
        """
        now_h = self.at_h + after_h
        if any(one.is_moved(share, now_h) for one in photos if one.of == self.order):
            return False
        is_hidden = self.reporter < share and self.looks_h <= now_h
        return not is_hidden or (self.is_mistaken and self.closes_h <= now_h)

    def is_moved(self, share: float, now_h: float) -> bool:
        """Return whether the case of its own report has ended well by now."""
        return self.reporter < share and self.closes_h <= now_h and not self.is_mistaken


def rows(areas: Sequence[Area], rounds: int, seed: int) -> Rows:
    """Walk TIMES `rounds` rounds in each area; each share of reports sees the same photos."""
    rounds *= TIMES
    found = empty_rows(areas, [f"{share:.0%} report" for share in REPORTS], rounds)
    for one in walk.rounds(areas, rounds, seed, "/wrong maps"):
        doors = exchanged(one.doors, one.rng)
        presses = list(walk.presses(one.area, doors, one.rng, 1))
        photos = list(_under_a_strangers_order(Driver(walk.manifest(doors), one.rng), presses))
        for share in REPORTS:
            counts = found[one.area.name, f"{share:.0%} report"].counts
            counts["presses"] += len(presses)
            counts["shown"] += len(photos)
            for hours in (1, 24):
                counts[str(hours)] += sum(photo.is_seen(photos, share, hours) for photo in photos)
    return found


def exchanged(doors: list[Door], rng: random.Random) -> list[Door]:
    """Return the doors on a map that confuses some buildings with the nearest one of the route."""
    mapped = {_place(door.stop): door.stop for door in doors}
    for place, stop in list(mapped.items()):
        if rng.random() < WRONG / 2:
            others = [door.stop for door in doors if _place(door.stop) != place]
            nearest = _place(min(others, key=partial(reach.distance_m, stop)))
            mapped[place], mapped[nearest] = mapped[nearest], mapped[place]
    there = [(door, *_place(mapped[_place(door.stop)])) for door in doors]
    return [replace(d, stop=replace(d.stop, lat_deg=lat, lon_deg=lon)) for d, lat, lon in there]


def _place(stop: RouteStop) -> Spot:
    return stop.lat_deg, stop.lon_deg


def _under_a_strangers_order(driver: Driver, presses: Iterable[Press]) -> Iterator[Photo]:
    """Press at each door, some after reading the parcel's label; no two stops have one customer."""
    rng, (median_h, p95_h) = driver.rng, LOOKS_H
    for press in presses:
        at_h = press.now_ns / 3.6e12
        answer = (every_label if rng.random() < SCANNED else with_labels)(driver, press)
        stop = answer.stop if isinstance(answer, Allowed) else None
        if stop and stop.id and stop.bound_by is BoundBy.PLACE and stop.id != press.door.stop.id:
            looks_h = at_h + median_h * (p95_h / median_h) ** (rng.gauss(0, 1) / 1.645)
            closes_h, is_mistaken = looks_h + rng.uniform(*CLOSES_H), rng.random() < MISTAKEN
            of, reporter = press.door.stop.id, rng.random()
            yield Photo(of, stop.id, at_h, reporter, looks_h, closes_h, is_mistaken)
