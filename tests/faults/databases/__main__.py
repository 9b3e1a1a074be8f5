"""`python -m tests.faults.databases`: give a device hostile databases; no process may be killed.

Ends with 0 when each process lived, each broken queue was set aside and each press left a record.
"""

import argparse
import statistics
import sys
from typing import Final

import cv2  # noqa: TID251 - only its threads are put out: they do not survive a fork

from tests.faults.databases.attacked import Attacked, Came, attacked
from tests.faults.databases.make import MAKERS
from tests.faults.databases.test_opened import MAYBE_SOUND
from tests.support import needs

LATER_S: Final = 5.0
"""Most delay of a first press, compared with a sound queue."""

_USUAL: Final = 3
"""Starts without an attack, to measure the usual time."""


def main() -> int:
    words = _arguments()
    needs.check(root=True)
    cv2.setNumThreads(1)
    names = list(MAKERS)
    cases = [
        (names[one % len(names)], words.seed + one // len(names)) for one in range(words.count)
    ]
    with attacked() as device:
        usual_s = usual(device)
        came = [_tried(device, name, seed, usual_s) for name, seed in cases]
    wrong = sum(bool(one.wrong) for one in came)
    later_s = [one.first_press_s - usual_s for one in came]
    print(
        f"{len(came)} databases: {wrong} with something wrong, "
        f"{sum(one.is_set_aside for one in came)} queues set aside; "
        f"first press usually after {usual_s:.1f} s, later by {statistics.median(later_s):.1f} s "
        f"(median), {max(later_s):.1f} s (most); {sum(one > LATER_S for one in later_s)} later "
        f"than {LATER_S:g} s"
    )
    return 1 if wrong or max(later_s) > LATER_S else 0


def usual(device: Attacked) -> float:
    """Return how long a start and a press take on a sound queue."""
    took_s = []
    for _ in range(_USUAL):
        took_s.append(device.first_press()[0])
        device.stop("capture")
    return statistics.median(took_s)


def wrong_about(name: str, came: Came) -> list[str]:
    """Return everything that went wrong; most queues must be set aside."""
    is_kept = name not in MAYBE_SOUND and not came.is_set_aside
    return [*came.wrong, *(["capture: the queue was not set aside"] if is_kept else [])]


def _tried(device: Attacked, name: str, seed: int, usual_s: float) -> Came:
    came = device.attack(name, seed)
    wrong = wrong_about(name, came)
    later_s = came.first_press_s - usual_s
    print(f"{name}, seed {seed}: press {later_s:+.1f} s; {'; '.join(wrong) or 'ok'}", flush=True)
    return Came(wrong, came.first_press_s, came.is_set_aside)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.databases", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="databases (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="first seed (default: 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
