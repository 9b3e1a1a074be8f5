"""The committed sample: which mutants are tried, and how each one ended when it was recorded."""

import random
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

from tests.mutants.naming import Mutant

PER_MODULE: Final = 30
"""Mutants of a module that are tried: all, if it has fewer."""

FOLDER: Final = Path(__file__).parent

SAMPLE: Final = "sample.tsv"
"""File of the sample: module, function, change, occurrence, outcome."""

NAMES: Final = "names.tsv"
"""File of the functions that moved since the recording: old module, old name, new module, new name.

With `*` for both names, all other functions of the module moved.
"""


class Outcome(StrEnum):
    """Results of the tests that run the mutated function."""

    KILLED = "killed"
    """A test failed, or the process died or hung."""
    SURVIVED = "survived"
    UNDECIDED = "undecided"
    """No test failed within the time that one mutant may take, and tests were left."""
    NO_TEST = "no test"
    """No fast test runs this function in its own process."""
    OPEN = "open"
    """The time of the whole run was over, or only the package's own tests ran and none failed."""


def read(folder: Path = FOLDER) -> dict[Mutant, Outcome]:
    """Return the committed sample, with the names that functions have today."""
    names = {(a, b): (c, d) for a, b, c, d in _rows(folder / NAMES)}
    return {
        Mutant(module, function, change, int(occurrence)).moved(names): Outcome(outcome)
        for module, function, change, occurrence, outcome in _rows(folder / SAMPLE)
    }


def write(outcomes: dict[Mutant, Outcome], folder: Path = FOLDER) -> None:
    """Write these outcomes into the sample, with the new names of functions that moved."""
    lines = (
        f"{one.module}\t{one.function}\t{one.change}\t{one.occurrence}\t{outcome}\n"
        for one, outcome in sorted(outcomes.items())
    )
    (folder / SAMPLE).write_text("".join(lines))
    (folder / NAMES).write_text("")


def chosen(module: str, mutants: Iterable[Mutant]) -> list[Mutant]:
    """Return the sample of a module: the same mutants at each call."""
    all_of_them = sorted(mutants)
    rng = random.Random(module)
    return sorted(rng.sample(all_of_them, min(PER_MODULE, len(all_of_them))))


def lost(recorded: dict[Mutant, Outcome], outcomes: dict[Mutant, Outcome]) -> list[Mutant]:
    """Return the mutants that were killed when recorded, and were tried now and not killed."""
    fine = {Outcome.KILLED, Outcome.OPEN}
    return sorted(
        one
        for one, end in outcomes.items()
        if recorded.get(one) is Outcome.KILLED and end not in fine
    )


def settled(
    recorded: dict[Mutant, Outcome], outcomes: dict[Mutant, Outcome], *, all_tests: bool
) -> dict[Mutant, Outcome]:
    """Return the outcomes to record: a former outcome if the new one settles nothing.

    If only some of the tests ran, and none of them killed a mutant, that settles nothing.
    """
    settles = {*Outcome} - {Outcome.OPEN} if all_tests else {Outcome.KILLED}
    return {
        one: end if end in settles else recorded.get(one, Outcome.OPEN)
        for one, end in outcomes.items()
    }


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]
