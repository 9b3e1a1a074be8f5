"""The product's rule, and what one could have done instead; each answers press after press."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from agent.capture.record_json import FRESH_S
from agent.models import BoundBy, Reason, Stop
from agent.rule import reach
from agent.rule.manifest import Manifest, PhotoRule, RouteStop
from agent.rule.policy import Allowed, decide
from agent.rule.reach import Circle, Ring
from agent.rule.scanning import Code
from tests.bench.policy.lasting import Lasting
from tests.bench.policy.walk import M_PER_DEG, Press

EPH_FACTOR: Final = 1.0

READABLE: Final = 0.97
"""Share of labels that a scan window reads: a guess, until real labels are measured."""

CODE_LASTS_S: Final = 900.0
"""How long after its photo, and how long for forbidden doors, "if codes lasted": 15 minutes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a press; `stop` is None where no photo was taken, `reason` says why."""

    stop: Stop | None
    scans: int = 0
    reason: Reason | None = None


@dataclass(slots=True)
class Driver:
    """Who presses on one round, and what a device remembers if codes last."""

    manifest: Manifest
    rng: random.Random
    lasting: Lasting = field(default_factory=lambda: Lasting(CODE_LASTS_S, CODE_LASTS_S))

    def reads(self) -> bool:
        return self.rng.random() < READABLE


Rule = Callable[[Driver, Press], Answer]


def by_place(driver: Driver, press: Press) -> Answer:
    """Ours, without a scanner."""
    return _answer(driver, press, None)


def with_labels(driver: Driver, press: Press) -> Answer:
    """Ours: a refusal asks for the parcel's label; a code is good for its own press only."""
    answer = _answer(driver, press, None)
    return answer if answer.stop else _label(driver, press)


def with_lasting_codes(driver: Driver, press: Press) -> Answer:
    """Like `with_labels`, but a code stays bound for 15 minutes, within 100 m of its photo."""
    circle, own = circle_of(press), press.door.stop.codes[0]
    code = driver.lasting.code(press.now_ns, circle)
    answer = _answer(driver, press, code.text if code else None)
    if not answer.stop:
        driver.lasting.bind(own, press.now_ns, circle)
        answer = _label(driver, press)
    driver.lasting.served(press.now_ns, circle, answer.stop)
    return answer


def every_label(driver: Driver, press: Press) -> Answer:
    """Ours: each parcel's label is scanned before its press; place decides where none is read."""
    read = driver.reads()
    return _answer(driver, press, press.door.stop.codes[0] if read else None, scans=1)


def nearest_only(driver: Driver, press: Press) -> Answer:
    """The nearest stop decides, however far; without a fix in 180 s a photo is taken."""
    circle = circle_of(press)
    if circle is None:
        return Answer(Stop(None, BoundBy.UNASSIGNED, None, None))
    nearest = min(driver.manifest.stops, key=lambda stop: _flat_m(stop, circle))
    if nearest.photo is not PhotoRule.ALLOWED:
        return Answer(None)
    return Answer(Stop(nearest.id, BoundBy.PLACE, None, None))


def only_fresh(driver: Driver, press: Press) -> Answer:
    """No fix means refuse: ours, where the fix is at most 5 s old."""
    if press.now_ns - press.fix.received_ns > FRESH_S * 1e9:
        return Answer(None)
    return _answer(driver, press, None)


RULES: Final[dict[str, Rule]] = {
    "ours, by place": by_place,
    "ours, label at a refusal": with_labels,
    "ours, if codes lasted": with_lasting_codes,
    "ours, every label": every_label,
    "nearest stop only": nearest_only,
    "no fix means refuse": only_fresh,
}


def is_confirmed(stop: Stop) -> bool:
    """Whether a label's stop was in reach: else its photo is shown to nobody but dispatch."""
    return stop.ring in {Ring.INSIDE, Ring.NEAR}


def _flat_m(stop: RouteStop, circle: Circle) -> float:
    north_m = (stop.lat_deg - circle.lat_deg) * M_PER_DEG[0]
    return math.hypot(north_m, (stop.lon_deg - circle.lon_deg) * M_PER_DEG[1])


def circle_of(press: Press) -> Circle | None:
    """Where we could be at that press."""
    return reach.where(press.fix, press.now_ns, EPH_FACTOR)


def _answer(driver: Driver, press: Press, code: str | None, scans: int = 0) -> Answer:
    read = Code(code, opens=True) if code else None
    decided = decide(driver.manifest, circle_of(press), read)
    if isinstance(decided, Allowed):
        return Answer(decided.stop, scans)
    return Answer(None, scans, decided.reason)


def _label(driver: Driver, press: Press) -> Answer:
    if not driver.reads():
        return Answer(None, scans=1)
    return _answer(driver, press, press.door.stop.codes[0], scans=1)
