"""`python -m tests.powercut`: cut the power at many points of a device's work, and look.

Ends with 0 when no state breaks a promise and every broken variant of the product was caught.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from tests.powercut import disk
from tests.powercut.forked import spread
from tests.powercut.rig import Rig, Violation, catch, room, try_states
from tests.powercut.scenarios import SCENARIOS
from tests.powercut.variants import BROKEN, CANDIDATES, Variant
from tests.powercut.writelog import plan

ALONE: Final = "DOORSTEP_POWERCUT_ALONE"
"""Set in the process that has its own mounts and process ids: they end when it does."""

MEMORY: Final = Path("/dev/shm")
"""Images lie in memory: they are written thousands of times."""

SHOWN: Final = 5
"""How many violations of one scenario are printed."""

REAL_SHARE: Final = 25
"""One state in so many is restarted by the real commands, unless told otherwise."""

CANDIDATE_SHARE: Final = 5
"""A candidate is tried in one state for so many of the product's."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How many states of which scenarios, and how many of them restart by real commands."""

    scenarios: Sequence[str]
    states: int
    processes: int
    variant: Variant | None = None


def main() -> int:
    words = _arguments()
    if os.geteuid() != 0:
        print("the rig mounts disks: run it as root", file=sys.stderr)
        return 2
    if packages := disk.missing():
        print(f"the rig needs: apt install {' '.join(packages)}", file=sys.stderr)
        return 2
    if ALONE not in os.environ:
        os.environ[ALONE] = "1"
        alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        os.execvp(alone[0], [*alone, sys.executable, "-m", "tests.powercut", *sys.argv[1:]])
    began_s = time.monotonic()
    try:
        with room(words.images) as folder:
            is_good = _run(Rig(folder), words)
    except KeyboardInterrupt:
        return 130
    print(f"{time.monotonic() - began_s:.0f} s")
    return 0 if is_good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("--states", type=int, default=600, help="how many in all (600)")
    parser.add_argument("--processes", type=int, help="how many by real commands (1 in 25)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the reordered states (1)")
    parser.add_argument("--images", type=Path, default=MEMORY, help=f"where disks lie ({MEMORY})")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one")
    parser.add_argument("--variant", action="append", choices=BROKEN | CANDIDATES)
    return parser.parse_args()


def _run(rig: Rig, words: argparse.Namespace) -> bool:
    chosen = words.variant or [*BROKEN, *CANDIDATES]
    processes = words.states // REAL_SHARE if words.processes is None else words.processes
    product = Trial(words.scenario or list(SCENARIOS), words.states, processes)
    violations = _try(rig, product, words.seed)
    for name in CANDIDATES.keys() & set(chosen):
        print(f"candidate {name}")
        variant = CANDIDATES[name]
        trial = Trial(variant.scenarios, words.states // CANDIDATE_SHARE, 0, variant)
        violations += _try(rig, trial, words.seed)
    broken = [name for name in chosen if name in BROKEN]
    caught = sum(spread(lambda n, some: _catch(rig.beside(n), some, words.seed), broken))
    print(f"{caught} of {len(broken)} broken variants caught")
    return not violations and caught == len(broken)


def _try(rig: Rig, trial: Trial, seed: int) -> int:
    """Spread the states over the scenarios by how much each writes; how many promises broke."""
    recordings = {name: rig.record(SCENARIOS[name], trial.variant) for name in trial.scenarios}
    points = sum(len(one.entries) - one.first for one in recordings.values())
    tried = broken = real = 0
    for name, one in recordings.items():
        share = (len(one.entries) - one.first) / points
        cuts = plan(one.entries, one.first, ceil(trial.states * share), seed)
        by_commands = min(ceil(trial.processes * share), len(cuts))
        violations = try_states(rig.folder, one, cuts, by_commands)
        tried, broken = tried + len(cuts), broken + len(violations)
        real += by_commands
        flushes = f", {one.flushes_per_photo():.0f} flushes per photo" if name == "capture" else ""
        print(f"{name:12} {len(cuts):6} states {len(violations):4} violations{flushes}", flush=True)
        _print(violations)
    print(f"{'together':12} {tried:6} states {broken:4} violations, {real} restarted by commands")
    return broken


def _catch(rig: Rig, names: Sequence[str], seed: int) -> list[bool]:
    """Whether each broken variant was caught."""
    caught = []
    for name in names:
        scenario = BROKEN[name].scenarios[0]
        one = rig.record(SCENARIOS[scenario], BROKEN[name])
        cuts = plan(one.entries, one.first, 2 * (len(one.entries) - one.first), seed)
        violation = catch(rig.folder, one, cuts)
        print(f"{name:24} {'caught' if violation else 'MISSED'} in {scenario}", flush=True)
        _print([violation] if violation else [])
        caught.append(violation is not None)
    return caught


def _print(violations: Sequence[Violation]) -> None:
    for violation in violations[:SHOWN]:
        print(f"    {violation.cut}: {violation.what}")


if __name__ == "__main__":
    sys.exit(main())
