"""`python -m tests.bench.energy.simulated` rewrites the hours of streaming; it takes minutes."""

from collections.abc import Iterable
from typing import Final

from tests.bench.energy.hours import AREAS, ROUNDS, SEED, Case, Hours, cases, save
from tests.bench.policy import area, streaming
from tests.bench.policy.streaming import Lift

_BY_NAME: Final = {one.name: one for one in area.AREAS}


def simulate(cases: Iterable[Case], rounds: int = ROUNDS) -> dict[Case, Hours]:
    """Walk the rounds of each case, with the product's own rule."""
    return {case: _hours(case, rounds) for case in cases}


def _hours(case: Case, rounds: int) -> Hours:
    lift = None
    if case.lasts_s is not None and case.before_press_s is not None:
        lift = Lift(case.lasts_s, case.before_press_s, case.walks, case.drives)
    rows = streaming.rows([_BY_NAME[case.area]], rounds, SEED, linger_s=case.linger_s, lift=lift)
    low, high = sorted(rows, key=lambda row: row.all_h)
    return Hours(
        low_h=round(low.all_h, 2),
        high_h=round(high.all_h, 2),
        round_h=low.round_h,
        warm=round(min(low.warm, high.warm), 3),
        wait_s=round(max(low.wait_s, high.wait_s), 2),
    )


if __name__ == "__main__":
    save(simulate(cases(AREAS)))
