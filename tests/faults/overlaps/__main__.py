"""`python -m tests.faults.overlaps`: counts wrong ends of what two instances do at once."""

import argparse
import random
import sys
from collections.abc import Callable
from typing import Final

from tests.faults.overlaps.accounts import grant_outlives_its_account, session_outlives_its_password
from tests.faults.overlaps.pair import Pair, running_pair
from tests.faults.overlaps.uploads import quota_is_passed

Round = Callable[[Pair, random.Random], bool]
"""A function that plays one round and returns whether that ended wrongly."""

ROUNDS: Final[dict[str, Round]] = {
    one.__name__: one
    for one in (session_outlives_its_password, grant_outlives_its_account, quota_is_passed)
}


def main() -> int:
    """Play the rounds and print how many ended wrongly; return 1 if any did."""
    options = _options()
    wrong = 0
    with running_pair(options.objects) as pair:
        for name in options.only or ROUNDS:
            rng = random.Random(options.seed)
            found = sum(ROUNDS[name](pair, rng) for _ in range(options.rounds))
            print(f"{name}: {found} of {options.rounds}", flush=True)
            wrong += found
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.overlaps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="of each kind (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the delays (default: 1)")
    parser.add_argument(
        "--objects", choices=("folder", "s3"), default="folder", help="where records are kept"
    )
    parser.add_argument("only", nargs="*", metavar="KIND", help="the kinds (default: all)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
