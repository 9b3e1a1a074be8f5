"""`python -m tests.faults.races`: plays races of two backend processes, and counts wrong ends."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.races.play import engines, play
from tests.faults.races.races import RACES


def main() -> int:
    """Print a line for each race; return 1 if any race ended wrong."""
    options = _options()
    names = options.races or list(RACES)
    wrong = 0
    print(f"{'race':<24}{'rounds':>8}{'refused':>9}{'wrong ends':>12}")
    with engines(options.database, options.objects), TemporaryDirectory() as folder:
        for one in play(Path(folder) / "backend", names, options.rounds, options.seed):
            count = one.wrong.total()
            wrong += count
            print(f"{one.race:<24}{one.rounds:>8}{one.refused:>9}{count:>12}", flush=True)
            for what, times in one.wrong.most_common():
                print(f"  {times} x {what}", flush=True)
    return int(wrong > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.races", description=__doc__)
    parser.add_argument("races", nargs="*", metavar="RACE", help=f"of {', '.join(RACES)}; all")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of who begins first")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--objects", choices=("folder", "s3"), default="folder")
    options = parser.parse_args()
    if unknown := set(options.races) - set(RACES):
        parser.error(f"there is no race {min(unknown)}; there are {', '.join(RACES)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
