"""`python -m tests.faults.sequences`: try faults in other and longer orders than the suite does.

Ends with 1 and the shortest order that breaks a promise, where one does.
"""

import argparse
import tempfile
import time
from pathlib import Path

from tests.faults.sequences.run import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sequences", description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="how many orders (300)")
    parser.add_argument("--steps", type=int, default=40, help="rules in each, at most (40)")
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="chooses them (the time)"
    )
    words = parser.parse_args()
    print(f"seed {words.seed}", flush=True)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="doorstep-machine-") as folder:
        seen = run(Path(folder), examples=words.examples, steps=words.steps, seed=words.seed)
    print(f"{words.examples} orders of {words.steps} steps, 0 violations")
    print(", ".join(f"{name} {count}" for name, count in sorted(seen.items())))
    print(f"{time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()
