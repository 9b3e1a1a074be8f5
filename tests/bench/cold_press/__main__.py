"""`python -m tests.bench.cold_press`: compare rules for a settled exposure by simulated presses."""

import argparse
import math
import random
import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from hardware.settling import SETTLING_RULE, SettlingRule
from tests.bench.cold_press import GROUPS, WRONG_TIMES, Press, Wait, wait

SEED: Final = 29
PRESSES: Final = 1_000

RULES: Final = (SettlingRule(4, 0.10, math.inf), SETTLING_RULE)
"""The rules to compare: one with equal steps only, and the product's own."""

WAITING: Final = ("cold", "after the lamp")


def main() -> None:
    """Simulate the presses of each group once, and print what each rule does with them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.cold_press", description=__doc__)
    parser.add_argument(
        "--presses",
        type=int,
        default=PRESSES,
        help="number of presses in each group (default: 1000)",
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, help=f"seed of the random numbers (default: {SEED})"
    )
    options = parser.parse_args()
    chance = random.Random(options.seed)
    presses = {
        name: [group(chance) for _ in range(options.presses)] for name, group in GROUPS.items()
    }
    heads = [f"{name}: wrong, worst | not settled: wrong | wait, s" for name in WAITING]
    print(f"| steps, largest, fall of two | {' | '.join(heads)} | warm: wait, s |")
    print("|" + " --- |" * (2 + 3 * len(heads)))
    for rule in RULES:
        ours = "the product's: " if rule == SETTLING_RULE else ""
        print(_row(f"{ours}{_name(rule)}", presses, rule))
    print(f"\nWrong: a frame of the burst is more than {WRONG_TIMES} times off the right exposure.")
    print("Wait: median (95 %) of what the rule adds to a press.")
    print("\n| steps after it has settled once | light changed: wrong, worst |", end="")
    print(" not settled: wrong | wait, s |\n" + "| --- " * 4 + "|")
    for steps in (0, SETTLING_RULE.resettle_steps):
        waits = [
            wait(one, SETTLING_RULE._replace(resettle_steps=steps))
            for one in presses["light changed"]
        ]
        print(f"| {steps} | {_cells(waits)} |")


def _row(name: str, presses: Mapping[str, Sequence[Press]], rule: SettlingRule) -> str:
    waits = {name: [wait(one, rule) for one in group] for name, group in presses.items()}
    cells = [_cells(waits[name]) for name in WAITING]
    return f"| {name} | {' | '.join(cells)} | {_added(waits['warm'])} |"


def _cells(waits: Sequence[Wait]) -> str:
    settled = [one for one in waits if one.settled]
    late = [one for one in waits if not one.settled]
    worst = max(one.times_off for one in settled)
    return (
        f"{sum(one.is_wrong for one in settled)} of {len(settled)}, {worst:.2f} | "
        f"{sum(one.is_wrong for one in late)} of {len(late)} | {_added(waits)}"
    )


def _added(waits: Sequence[Wait]) -> str:
    added_s = sorted(one.added_s for one in waits)
    return f"{statistics.median(added_s):.2f} ({added_s[len(added_s) * 95 // 100]:.2f})"


def _name(rule: SettlingRule) -> str:
    fall = "any" if math.isinf(rule.fall) else f"{rule.fall:.0%}"
    return f"{rule.steps}, {rule.move:.0%}, {fall}"


if __name__ == "__main__":
    main()
