"""Results of each rule on many rounds of an area."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from agent.models import BoundBy, Reason
from agent.rule.manifest import PhotoRule
from agent.rule.policy import Allowed, Refused
from tests.bench.policy import walk
from tests.bench.policy.area import Area
from tests.bench.policy.rules import RULES, STRANGERS, Answer, Driver, is_confirmed
from tests.bench.policy.walk import Press

VISITS: Final = 10
"""Presses at each forbidden door, each with its own fix, since there are few such doors."""


@dataclass(frozen=True, slots=True)
class Row:
    """Counts in one area over all rounds, of one rule, label or memory."""

    area: str
    name: str
    rounds: int
    counts: Counter[str] = field(default_factory=Counter)

    def a_round(self, what: str) -> float:
        return self.counts[what] / self.rounds

    def per_1000(self, what: str) -> float:
        """Return the count per 1,000 presses."""
        return 1000 * self.counts[what] / self.counts["presses"]

    def pct(self, part: str, whole: str) -> float:
        """Return a count in percent of another one; 0 if that is 0."""
        return 100 * self.counts[part] / self.counts[whole] if self.counts[whole] else 0.0

    @property
    def forbidden_pct(self) -> float:
        """Photos per 100 presses at doors that take none."""
        return self.pct("forbidden photos", "forbidden")

    @property
    def confirmed_pct(self) -> float:
        """Share of these presses whose photo the owner of the label sees before dispatch."""
        return self.pct("forbidden confirmed", "forbidden")


Column = tuple[str, Callable[[Row], str]]
"""A head, and what stands below it."""

COLUMNS: Final[tuple[Column, ...]] = (
    ("refused", lambda row: f"{row.a_round('refusals'):.1f}"),
    ("elsewhere", lambda row: f"{row.a_round('elsewhere'):.2f}"),
    ("forbidden", lambda row: f"{row.forbidden_pct:.1f}"),
    ("by label", lambda row: f"{row.a_round('unconfirmed'):.1f}"),
)

STRANGERS_COLUMNS: Final[tuple[Column, ...]] = (
    ("photos", lambda row: f"{row.forbidden_pct:.1f}"),
    ("shown", lambda row: f"{row.confirmed_pct:.1f}"),
)

Rows = dict[tuple[str, str], Row]
"""By area and name."""


def empty_rows(areas: Iterable[Area], names: Iterable[str], rounds: int) -> Rows:
    """Return a row for each name in each area."""
    pairs = product((area.name for area in areas), names)
    return {pair: Row(*pair, rounds) for pair in pairs}


def rows(areas: Sequence[Area], rounds: int, seed: int) -> Rows:
    """Walk `rounds` rounds in each area; every rule sees the same presses."""
    found = empty_rows(areas, [*RULES, *STRANGERS], rounds)
    for one in walk.rounds(areas, rounds, seed):
        area, manifest = one.area, walk.manifest(one.doors)
        presses = list(walk.presses(area, one.doors, one.rng, VISITS))
        at_forbidden = [press for press in presses if _is_forbidden(press)]
        tried = [(name, rule, presses) for name, rule in RULES.items()]
        tried += [(name, rule, at_forbidden) for name, rule in STRANGERS.items()]
        for name, rule, pressed in tried:
            driver = Driver(manifest, random.Random(f"{seed}/{area.name}/{one.number}/labels"))
            for press in pressed:
                _count(found[area.name, name].counts, press, rule(driver, press))
    return found


def _count(counts: Counter[str], press: Press, answer: Answer) -> None:
    """Count a press; a label whose stop is not in reach is for dispatch, as the backend has it."""
    stop = answer.stop if isinstance(answer, Allowed) else None
    if _is_forbidden(press):
        counts["forbidden"] += 1
        counts["forbidden photos"] += stop is not None
        counts["forbidden confirmed"] += stop is not None and is_confirmed(stop)
    elif isinstance(answer, Refused):
        counts["refusals"] += 1
        counts["elsewhere"] += answer.reason is Reason.CODE_ELSEWHERE
    else:
        is_label = answer.stop.bound_by is BoundBy.CODE
        counts["unconfirmed"] += is_label and not is_confirmed(answer.stop)


def _is_forbidden(press: Press) -> bool:
    return press.door.stop.photo is PhotoRule.NO_PHOTO
