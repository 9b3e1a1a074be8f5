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
"""Images lie in memory: they are written thousands of times."""

FEW: Final = 30
"""States in which a broken variant is looked for before all of its recording."""

SHOWN: Final = 5
"""How many violations of one scenario are printed."""

REAL_SHARE: Final = 25
"""One state in so many is restarted by the real commands, unless told otherwise."""

SOUND_SHARE: Final = 10
"""A sound variant is tried in one state for so many of the product's."""

MEANING: Final = {
    "product": "the device as it is, on ext4 with ordered data and barriers",
    "portable": "its longer way to write, for other file systems",
    "commits": "as it is, but ext4 commits its journal after each rename and deletion",
}
"""What each trial tries."""

COUNTED: Final = frozenset({"product", "portable"})
"""Trials whose flushes are the device's own."""


@dataclass(frozen=True, slots=True)
class Trial:
    """How many states of which scenarios, and how many of them restart by real commands."""

    name: str
    scenarios: Sequence[str]
    states: int
    processes: int = 0
    variant: Variant | None = None


@dataclass(slots=True)
class Score:
    """What was tried so far, and what came of it; `flushes` are those of a photo, by trial."""

    states: int = 0
    violations: int = 0
    by_commands: int = 0
    flushes: dict[str, float] = field(default_factory=dict)


def main() -> int:
    words = _arguments()
    needs.check(*disk.NEEDS, root=True)
    be_alone(sys.argv[1:])
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
    parser.add_argument("--processes", type=int, help="how many by real commands (1 in 25)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the reordered states (1)")
    parser.add_argument("--images", type=Path, default=MEMORY, help=f"where disks lie ({MEMORY})")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one")
    parser.add_argument("--variant", action="append", choices=SOUND | BROKEN)
    return parser.parse_args()


def _run(rig: Rig, words: argparse.Namespace) -> bool:
    chosen = words.variant or [*SOUND, *BROKEN]
    processes = words.states // REAL_SHARE if words.processes is None else words.processes
    trials = [Trial("product", words.scenario or list(SCENARIOS), words.states, processes)]
    for name, variant in SOUND.items():
        if name in chosen:
            share = words.states // SOUND_SHARE
            trials.append(Trial(name, variant.scenarios, share, variant=variant))
    score = Score()
    for trial in trials:
        _try(rig, trial, words.seed, score)
    broken = [name for name in BROKEN if name in chosen]
    if broken:
        print("\nbroken on purpose: each must be caught; its first violation", flush=True)
    caught = sum(spread(lambda n, some: _catch(rig.beside(n), some, words.seed), broken))
    _sum_up(score)
    print(f"{caught} of {len(broken)} broken variants caught")
    return not score.violations and caught == len(broken)


def _sum_up(score: Score) -> None:
    restarted = f"{score.by_commands} of them restarted by the device's own commands"
    print(f"\n{score.states} power cuts, {score.violations} violations; {restarted}")
    if score.flushes:
        counted = [f"{flushes:.0f} ({name})" for name, flushes in score.flushes.items()]
        print(f"flushes of the disk per photo: {', '.join(counted)}")


def _try(rig: Rig, trial: Trial, seed: int, score: Score) -> None:
    """Spread the states over the scenarios by how much each writes."""
    print(f"\n{trial.name}: {MEANING[trial.name]}", flush=True)
    recordings = {name: rig.record(SCENARIOS[name], trial.variant) for name in trial.scenarios}
    points = sum(len(one.entries) - one.first for one in recordings.values())
    for name, one in recordings.items():
        share = (len(one.entries) - one.first) / points
        cuts = plan(one.entries, one.first, ceil(trial.states * share), seed)
        by_commands = min(ceil(trial.processes * share), len(cuts))
        violations = try_states(rig.folder, one, cuts, by_commands)
        score.states += len(cuts)
        score.violations += len(violations)
        score.by_commands += by_commands
        if name == "capture" and trial.name in COUNTED:
            score.flushes[trial.name] = one.flushes_per_photo()
        _tell(f"{trial.name}/{name}", len(cuts), violations, seed)


def _tell(what: str, states: int, violations: Sequence[Violation], seed: int) -> None:
    """One line for each scenario, so that the lines of several runs can be added up."""
    counts = f"{states:5} states {len(violations):4} violations"
    print(f"  {what:20} {counts}, seed {seed}", flush=True)
    _print(violations)


def _catch(rig: Rig, names: Sequence[str], seed: int) -> list[bool]:
    """Whether each broken variant was caught."""
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
