"""`python -m tests.bench.cold_press`: how well and how long several rules wait for the exposure."""

import argparse
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from hardware.settling import USUAL, Steady
from hardware.simulated.auto_exposure import IMX708
from tests.bench.cold_press import GROUPS, OFF, Press, Wait, wait, wrong_lamps

SEED: Final = 29
PRESSES: Final = 1_000

RULES: Final = (
    Steady(4, 0.10, math.inf),
    Steady(5, 0.10, math.inf),
    Steady(4, 0.05, math.inf),
    Steady(5, 0.05, math.inf),
    Steady(4, 0.10, 0.07),
    USUAL,
    Steady(5, 0.10, 0.10),
    Steady(6, 0.10, 0.07),
)
"""The rules that are compared: with steps alone, and around the product's own."""


WAITING: Final = ("cold", "after the lamp")


def main() -> None:
    """Simulate the presses of each group once, and print what each rule does with them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cold_press", description=__doc__)
    parser.add_argument("--presses", type=int, default=PRESSES, help="of each group (1000)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the chance ({SEED})")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    presses = {
        name: [group(chance) for _ in range(options.presses)] for name, group in GROUPS.items()
    }
    heads = [f"{name}: off, worst | not settled: off, all | added s" for name in WAITING]
    print(f"| steps, each at most, newest two down | {' | '.join(heads)} | warm: added s |")
    print("|" + " --- |" * (2 + 3 * len(heads)))
    for rule in RULES:
        ours = "the product's: " if rule == USUAL else ""
        print(_row(f"{ours}{_name(rule)}", presses, rule))
    print(_row(f"{_name(USUAL)}, IMX708 at 30 fps", _of_the_device(presses), USUAL))
    print(f"\nOff: kept, and over {OFF} times off. Added: median (95 %).")
    by_day, in_the_dark, still = wrong_lamps(presses["cold"], USUAL)
    print(f"By the newest frame's lux at cold presses, the lamp is lit by day in {by_day}, and not")
    print(f"lit in the dark in {in_the_dark}; after a look at the settled burst in {still}.")
    print("\n| newest steps that count once it has settled | light changed: off, worst |", end="")
    print(" not settled: off, all | added s |\n" + "| --- " * 4 + "|")
    for again in (0, USUAL.again, USUAL.steps):
        waits = [wait(one, USUAL._replace(again=again)) for one in presses["light changed"]]
        print(f"| {again} | {_cells(waits)} |")


def _of_the_device(presses: Mapping[str, Sequence[Press]]) -> dict[str, list[Press]]:
    """Leave the presses with the camera of the build."""
    return {
        name: [one for one in group if one.conditions.tuning == IMX708 and one.conditions.fps == 30]
        for name, group in presses.items()
    }


def _row(name: str, presses: Mapping[str, Sequence[Press]], rule: Steady) -> str:
    waits = {name: [wait(one, rule) for one in group] for name, group in presses.items()}
    cells = [_cells(waits[name]) for name in WAITING]
    return f"| {name} | {' | '.join(cells)} | {_added(waits['warm'])} |"


def _cells(waits: Sequence[Wait]) -> str:
    settled = [one for one in waits if one.settled]
    late = [one for one in waits if not one.settled]
    worst = max(one.times_off for one in settled)
    return (
        f"{sum(one.is_off for one in settled)} of {len(settled)}, {worst:.2f} | "
        f"{sum(one.is_off for one in late)} of {len(late)} | {_added(waits)}"
    )


def _added(waits: Sequence[Wait]) -> str:
    added_s = sorted(one.added_s for one in waits)
    return f"{statistics.median(added_s):.2f} ({added_s[len(added_s) * 95 // 100]:.2f})"


def _name(rule: Steady) -> str:
    fall = "any" if math.isinf(rule.fall) else f"{rule.fall:.0%}"
    return f"{rule.steps}, {rule.move:.0%}, {fall}"


if __name__ == "__main__":
    main()
