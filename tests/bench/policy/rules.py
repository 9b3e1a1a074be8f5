"""The product's rule, and what one could have done instead; each answers press after press."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from agent.models import BoundBy, Reason, Stop
from agent.rule import reach
from agent.rule.manifest import Manifest, PhotoRule, RouteStop
from agent.rule.policy import Allowed, Refused, decide
from agent.rule.reach import Circle, Ring
from agent.rule.scanning import Code
from tests.bench.policy.lasting import Lasting
from tests.bench.policy.walk import M_PER_DEG, Press

EPH_FACTOR: Final = 1.0

READABLE: Final = 0.97
"""Share of labels that a scan window reads: a guess, until real labels are measured."""

CODE_LASTS_S: Final = 900.0
"""Time after its photo, and time for forbidden doors, "if codes lasted": 15 minutes."""

Answer = Allowed | Refused


@dataclass(slots=True)
class Driver:
    """A driver on one round, and what a device remembers if codes last."""

    manifest: Manifest
    rng: random.Random
    lasting: Lasting = field(default_factory=lambda: Lasting(CODE_LASTS_S, CODE_LASTS_S))

    def reads(self) -> bool:
        return self.rng.random() < READABLE

    def decide(self, press: Press, code: str | None = None) -> Answer:
        """Ask the product's rule, with a code that was read just now."""
        read = Code(code, opens=True) if code else None
        return decide(self.manifest, circle_of(press), read)


Rule = Callable[[Driver, Press], Answer]


def with_labels(driver: Driver, press: Press) -> Answer:
    """Ours: a refusal asks for the parcel label; a code counts for its own press only."""
    answer = driver.decide(press)
    return answer if isinstance(answer, Allowed) else _label(driver, press, answer)


def with_lasting_codes(driver: Driver, press: Press) -> Answer:
    """Like `with_labels`, but a code stays bound for 15 minutes, within 100 m of its photo."""
    circle = circle_of(press)
    code = driver.lasting.code(press.now_ns, circle)
    answer = driver.decide(press, code.text if code else None)
    if isinstance(answer, Refused):
        driver.lasting.bind(press.door.stop.codes[0], press.now_ns, circle)
        answer = _label(driver, press, answer)
    stop = answer.stop if isinstance(answer, Allowed) else None
    driver.lasting.served(press.now_ns, circle, stop)
    return answer


def every_label(driver: Driver, press: Press) -> Answer:
    """Ours: each parcel label is scanned before its press; if none is read, the place decides."""
    return driver.decide(press, press.door.stop.codes[0] if driver.reads() else None)


def nearest_only(driver: Driver, press: Press) -> Answer:
    """The nearest stop decides, however far; without a fix in 180 s a photo is taken."""
    circle = circle_of(press)
    if circle is None:
        return Allowed(Stop(None, BoundBy.UNASSIGNED, None, None))
    nearest = min(driver.manifest.stops, key=lambda stop: _flat_m(stop, circle))
    if nearest.photo is not PhotoRule.ALLOWED:
        return Refused(Reason.NO_PHOTO_STOP)
    return Allowed(Stop(nearest.id, BoundBy.PLACE, None, None))


RULES: Final[dict[str, Rule]] = {
    "ours, by place": Driver.decide,
    "ours, label at a refusal": with_labels,
    "ours, if codes lasted": with_lasting_codes,
    "ours, every label": every_label,
    "nearest stop only": nearest_only,
}


def any_label(driver: Driver, press: Press) -> Answer:
    """Ours: a stranger put the label of any order on the route up at each forbidden door."""
    return driver.decide(press, driver.rng.choice(_open_to(driver)).codes[0])


def neighbours_label(driver: Driver, press: Press) -> Answer:
    """Ours: there is the label of the nearest order on the route."""
    door = press.door.stop
    nearest = min(_open_to(driver), key=lambda stop: reach.distance_m(stop, door))
    return driver.decide(press, nearest.codes[0])


STRANGERS: Final[dict[str, Rule]] = {
    "anybody on the route": any_label,
    "the nearest on the route": neighbours_label,
}
"""By the owner of the label; only for presses at forbidden doors."""


def is_confirmed(stop: Stop) -> bool:
    """Return whether a label's stop was in reach: else its photo is shown to dispatch alone."""
    return stop.ring in {Ring.INSIDE, Ring.NEAR}


def circle_of(press: Press) -> Circle | None:
    """Return where we could be at that press."""
    return reach.where(press.fix, press.now_ns, EPH_FACTOR)


def _open_to(driver: Driver) -> list[RouteStop]:
    return [stop for stop in driver.manifest.stops if stop.photo is PhotoRule.ALLOWED]


def _flat_m(stop: RouteStop, circle: Circle) -> float:
    north_m = (stop.lat_deg - circle.lat_deg) * M_PER_DEG[0]
    return math.hypot(north_m, (stop.lon_deg - circle.lon_deg) * M_PER_DEG[1])


def _label(driver: Driver, press: Press, refused: Refused) -> Answer:
    """Hold the parcel's label up; if it is not read, the refusal stays."""
    return driver.decide(press, press.door.stop.codes[0]) if driver.reads() else refused
