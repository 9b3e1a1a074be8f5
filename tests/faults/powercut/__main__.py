"""`python -m tests.faults.powercut`: cut the power at many points of a device's work, and look.

Ends with 0 when no state breaks a promise and every broken variant of the product was caught.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Final

from tests.faults.powercut import disk
from tests.faults.powercut.alone import be_alone
from tests.faults.powercut.forked import spread
from tests.faults.powercut.rig import Rig, Violation, catch, room, try_states
from tests.faults.powercut.scenarios import SCENARIOS
from tests.faults.powercut.variants import BROKEN, SOUND, Variant
from tests.faults.powercut.writelog import plan
from tests.support import needs

MEMORY: Final = Path("/dev/shm")
"""The place of the images, if it exists: it is in memory, since they are written very often."""

FEW: Final = 30
"""States in which a broken variant is looked for before all of its recording."""

SHOWN: Final = 5
"""Number of violations of a scenario that are printed."""

REAL_SHARE: Final = 25
"""States for each one that the real commands restart."""

SOUND_SHARE: Final = 10
"""A sound variant is tried in one state for so many of the product's."""

COUNTED: Final = frozenset({"product", "portable"})
"""Trials whose flushes are the device's own."""


@dataclass(slots=True)
class Score:
    """The count of tried states and their results; `flushes` are those of a photo, by trial."""

    states: int = 0
    violations: int = 0
    by_commands: int = 0
    flushes: list[str] = field(default_factory=list)


def main() -> int:
    words = _arguments()
    needs.check(*disk.NEEDS, root=True)
    be_alone("tests.faults.powercut")
    began_s = time.monotonic()
    try:
        with room(words.images) as folder:
            is_good = _run(Rig(folder), words)
    except KeyboardInterrupt:
        return 130
    print(f"{time.monotonic() - began_s:.0f} s")
    return 0 if is_good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.powercut", description=__doc__)
    parser.add_argument("--states", type=int, default=600, help="how many in all (600)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the reordered states (1)")
    parser.add_argument("--images", type=Path, default=MEMORY, help=f"where disks lie ({MEMORY})")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one")
    parser.add_argument("--variant", action="append", choices=SOUND | BROKEN)
    return parser.parse_args()


def _run(rig: Rig, words: argparse.Namespace) -> bool:
    chosen, score = words.variant or [*SOUND, *BROKEN], Score()
    product = Variant(lambda: None, tuple(words.scenario or SCENARIOS))
    _try(rig, "product", product, score, states=words.states, seed=words.seed)
    for name in (one for one in SOUND if one in chosen):
        share = words.states // SOUND_SHARE
        _try(rig, name, SOUND[name], score, states=share, seed=words.seed)
    broken = [name for name in BROKEN if name in chosen]
    if broken:
        print("\nbroken on purpose: each must be caught; its first violation", flush=True)
    caught = sum(spread(lambda n, some: _catch(rig.beside(n), some, words.seed), broken))
    restarted = f"{score.by_commands} of them restarted by the device's own commands"
    print(f"\n{score.states} power cuts, {score.violations} violations; {restarted}")
    print(f"flushes of the disk per photo: {', '.join(score.flushes)}")
    print(f"{caught} of {len(broken)} broken variants caught")
    return not score.violations and caught == len(broken)


def _try(rig: Rig, trial: str, variant: Variant, score: Score, *, states: int, seed: int) -> None:
    """Spread the states over the scenarios by how much each writes.

    One line for each scenario, so that the lines of several runs can be added up.
    """
    recordings = {name: rig.record(SCENARIOS[name], variant) for name in variant.scenarios}
    points = sum(len(one.entries) - one.first for one in recordings.values())
    for name, one in recordings.items():
        share = ceil(states * (len(one.entries) - one.first) / points)
        cuts = plan(one.entries, one.first, share, seed)
        by_commands = ceil(len(cuts) / REAL_SHARE) if trial == "product" else 0
        violations = try_states(rig.folder, one, cuts, by_commands)
        score.states += len(cuts)
        score.violations += len(violations)
        score.by_commands += by_commands
        if name == "capture" and trial in COUNTED:
            score.flushes.append(f"{one.flushes_per_photo():.0f} ({trial})")
        counts = f"{len(cuts):5} states {len(violations):4} violations"
        print(f"  {trial}/{name:12} {counts}, seed {seed}", flush=True)
        _print(violations)


def _catch(rig: Rig, names: Sequence[str], seed: int) -> list[bool]:
    """Return for each broken variant if it was caught."""
    caught = []
    for name in names:
        scenario = BROKEN[name].scenarios[0]
        one = rig.record(SCENARIOS[scenario], BROKEN[name])
        points = len(one.entries) - one.first
        sample, all_ = (plan(one.entries, one.first, wanted, seed) for wanted in (FEW, 2 * points))
        violation = catch(rig.folder, one, sample) or catch(rig.folder, one, all_)
        print(f"  {name:24} {'caught' if violation else 'MISSED'} in {scenario}", flush=True)
        _print([violation] if violation else [])
        caught.append(violation is not None)
    return caught


def _print(violations: Sequence[Violation]) -> None:
    for violation in violations[:SHOWN]:
        print(f"    {violation.cut}: {violation.what}")


if __name__ == "__main__":
    sys.exit(main())
