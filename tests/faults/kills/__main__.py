"""Kill the smallest backends, cut their power, and count the records lost after their receipt."""

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.faults.kills.power_cuts import lost, recording
from tests.faults.kills.rig import killed
from tests.faults.powercut import disk
from tests.support import needs
from tests.support.small_backends import SmallBackend, node_backend, python_backend

BACKENDS: Final[dict[str, Callable[[Path, Path], SmallBackend]]] = {
    "python": python_backend,
    "node": node_backend,
}


def main() -> int:
    """Try each backend and print the counts; return 1 if a record with a receipt was lost."""
    options = _options()
    if options.states:
        needs.check(*disk.NEEDS, root=True)
    logging.disable(logging.CRITICAL)  # each cut is an event of the device
    is_good = True
    for name in options.only or BACKENDS:
        began_s = time.monotonic()
        with TemporaryDirectory(prefix="kills-") as folder:
            results = [_kill(name, Path(folder), options), _cut(name, Path(folder), options)]
        is_good &= not any(count for count, _ in results)
        words = "; ".join(words for _, words in results)
        print(f"{name}: {words}; {time.monotonic() - began_s:.0f} s", flush=True)
    return 0 if is_good else 1


def _kill(name: str, folder: Path, options: argparse.Namespace) -> tuple[int, str]:
    """Return how many records were lost, and the result in words."""
    backend = BACKENDS[name](folder, folder / "data").start()
    count = killed(backend, folder, options.kills, options.seed)
    words = f"{options.kills} kills, {len(count.cut)} attempts cut off"
    return len(count.lost), f"{words}, {len(count.receipts)} receipts, {len(count.lost)} lost"


def _cut(name: str, folder: Path, options: argparse.Namespace) -> tuple[int, str]:
    if not options.states:
        return 0, "no power cuts"
    made = recording(folder, BACKENDS[name])
    cuts, found = lost(folder, made, options.states, options.seed)
    return len(found), f"{cuts} power cuts, {len(found)} of {len(made.promises)} records lost"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=__doc__)
    parser.add_argument(
        "--kills", type=int, default=200, help="kills of each backend (default: 200)"
    )
    parser.add_argument(
        "--states", type=int, default=600, help="power cuts of each backend, as root (default: 600)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of their moments (default: 1)")
    parser.add_argument("only", nargs="*", metavar="BACKEND", help="python, node (default: both)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
