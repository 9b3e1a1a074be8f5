"""What each rule did on many rounds of an area."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agent.models import BoundBy, Reason, Stop
from agent.rule.manifest import PhotoRule
from tests.bench.policy import walk
from tests.bench.policy.area import Area
from tests.bench.policy.rules import RULES, Answer, Driver, is_confirmed
from tests.bench.policy.walk import Press

VISITS: Final = 10
"""Presses at each forbidden door, each with its own fix, since there are few such doors."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rule in one area.

    Attributes:
        refusals: at doors that allow photos, per route.
        elsewhere: of those, because the door's own label was taken for another place's.
        forbidden_pct: photos per 100 presses at `no_photo` doors.
        scans: labels held up at doors that allow photos, per route.
        one, ambiguous, unassigned: photos per route that were bound so; `one` is by place or code.
        unconfirmed: photos per route by a label whose stop was not in reach, or nobody knows.
        wrong_one_pct: of `one`, bound to another door's stop.
        wrong_ambiguous_pct: of `ambiguous`, the same.
        presses: at forbidden doors, in all.
    """

    area: str
    rule: str
    refusals: float
    elsewhere: float
    forbidden_pct: float
    scans: float
    one: float
    ambiguous: float
    unassigned: float
    unconfirmed: float
    wrong_one_pct: float
    wrong_ambiguous_pct: float
    presses: int


def rows(areas: Iterable[Area], rounds: int, seed: int) -> list[Row]:
    """Walk `rounds` rounds in each area; every rule sees the same presses."""
    return [row for area in areas for row in _area(area, rounds, seed)]


def _area(area: Area, rounds: int, seed: int) -> list[Row]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in RULES}
    for number in range(rounds):
        dice = random.Random(f"{seed}/{area.name}/{number}")
        doors = walk.doors(area, dice)
        manifest = walk.manifest(doors)
        presses = list(walk.presses(area, doors, dice, VISITS))
        for name, rule in RULES.items():
            driver = Driver(manifest, random.Random(f"{seed}/{area.name}/{number}/labels"))
            for press in presses:
                _count(counts[name], press, rule(driver, press))
    return [_row(area, name, counts[name], rounds) for name in RULES]


def _count(counts: Counter[str], press: Press, answer: Answer) -> None:
    if press.door.stop.photo is PhotoRule.NO_PHOTO:
        counts["forbidden"] += 1
        counts["forbidden photos"] += answer.stop is not None
        return
    counts["scans"] += answer.scans
    if answer.stop is None:
        counts["refusals"] += 1
        counts["elsewhere"] += answer.reason is Reason.CODE_ELSEWHERE
        return
    how = _how(answer.stop)
    counts[how] += 1
    counts[f"wrong {how}"] += answer.stop.id != press.door.stop.id


def _how(stop: Stop) -> str:
    """As the reference backend has it: what is not `one` is shown to nobody but dispatch."""
    if stop.bound_by is BoundBy.CODE:
        return "one" if is_confirmed(stop) else "unconfirmed"
    return "one" if stop.bound_by is BoundBy.PLACE else str(stop.bound_by)


def _row(area: Area, rule: str, counts: Counter[str], rounds: int) -> Row:
    return Row(
        area=area.name,
        rule=rule,
        refusals=counts["refusals"] / rounds,
        elsewhere=counts["elsewhere"] / rounds,
        forbidden_pct=_pct(counts["forbidden photos"], counts["forbidden"]),
        scans=counts["scans"] / rounds,
        one=counts["one"] / rounds,
        ambiguous=counts["ambiguous"] / rounds,
        unassigned=counts["unassigned"] / rounds,
        unconfirmed=counts["unconfirmed"] / rounds,
        wrong_one_pct=_pct(counts["wrong one"], counts["one"]),
        wrong_ambiguous_pct=_pct(counts["wrong ambiguous"], counts["ambiguous"]),
        presses=counts["forbidden"],
    )


def _pct(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
