"""`python -m tests.faults.network`: cut the line at every byte, and look where the record is.

Ends with 0 when no fault breaks a promise.
"""

import argparse
import logging
import sys
import time
from typing import Final

from tests.faults.network.cases import Plan, violations
from tests.faults.powercut.forked import in_child, spread

SHOWN: Final = 20
"""Number of violations of a series that are printed."""

USUAL: Final = Plan()


def main() -> int:
    """Prints each series, and what broke."""
    plan = _plan()
    logging.disable(logging.CRITICAL)
    began_s = time.monotonic()
    tried = broken = 0
    for name, cases in in_child(plan.series).items():
        found = spread(lambda _, some: violations(some), cases)
        tried, broken = tried + len(cases), broken + len(found)
        print(f"{name:60} {len(cases):6} cases {len(found):4} violations", flush=True)
        for violation in found[:SHOWN]:
            print(f"    {violation}")
    took_s = time.monotonic() - began_s
    print(f"{'together':60} {tried:6} cases {broken:4} violations, {took_s:.0f} s")
    return 1 if broken else 0


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.network", description=__doc__)
    told = {
        "first-bytes": ("of the body, cut after every one", USUAL.first_bytes),
        "later": ("points at random further on", USUAL.later),
        "every": ("one byte in so many of later requests and answers", USUAL.every),
        "seed": ("chooses the points at random", USUAL.seed),
    }
    for name, (meaning, usual) in told.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"{meaning} ({usual})")
    words = parser.parse_args()
    return Plan(words.first_bytes, words.later, words.every, words.seed)


if __name__ == "__main__":
    sys.exit(main())
