"""The sample survives edits and moves, and the rig tells each way in which a mutant ends."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.mutants import sample
from tests.mutants.__main__ import PURE
from tests.mutants.naming import Edit, Mutant, named
from tests.mutants.sample import Outcome

REPOSITORY: Final = Path(__file__).parents[2]

LATER: Final = Edit("Backoff.wait_s", "tries < most", "tries <= most")

SWITCHED: Final = """
from tests.mutants.switch import wrap_in_trampoline

versions = {}

@wrap_in_trampoline(versions)
def count(steps):
    ...

def x_count__mutmut_orig(steps):
    return steps

def x_count__mutmut_1(steps):  # a test fails
    return None

def x_count__mutmut_2(steps):  # no test looks at more than 2
    return min(steps, 2)

def x_count__mutmut_3(steps):  # hangs and uses the processor
    while True:
        pass

def x_count__mutmut_4(steps):  # hangs and waits
    import threading
    threading.Event().wait()

def x_count__mutmut_5(steps):  # the process dies
    import os
    os._exit(0)

def x_count__mutmut_6(steps):  # only a test fails that also fails by itself
    return 3 if steps == 1 else steps

versions["_mutmut_orig"] = x_count__mutmut_orig
for number in range(1, 7):
    versions[f"x_count__mutmut_{number}"] = globals()[f"x_count__mutmut_{number}"]
"""

TESTS: Final = """
import module

seen = []

def test_first():
    assert module.count(0) == 0
    seen.append(0)

def test_needs_the_first():
    assert seen and module.count(1) == 1

def test_last():
    assert module.count(2) == 2
"""


def test_name_survives_edits_of_other_code() -> None:
    before = named("agent.sync.backoff", [LATER])
    after = named(
        "agent.sync.backoff",
        [Edit("new", "1", "2"), Edit("Backoff.wait_s", "a and b", "a or b"), LATER],
    )

    assert before[0] in after
    assert str(before[0]) == "agent.sync.backoff Backoff.wait_s: < -> <="


def test_equal_changes_are_told_apart_by_occurrence() -> None:
    first, second = named("agent.sync.backoff", [LATER, LATER])

    assert (first.occurrence, second.occurrence) == (1, 2)
    assert str(second) == f"{first} (occurrence 2)"


def test_change_of_a_statement_has_a_name() -> None:
    (name,) = named("agent.sync.backoff", [Edit("wait_s", "tries = 0", "tries = None")])

    assert name.change == "0 -> None"


def test_sample_follows_a_function_that_moved(tmp_path: Path) -> None:
    before = [Mutant(*place, "< -> <=", 2) for place in [("old", "f"), ("old", "g"), ("m", "f")]]
    sample.write(dict.fromkeys(before, Outcome.KILLED), tmp_path)
    (tmp_path / sample.NAMES).write_text("old\tf\tnew\tC.f\nold\t*\tmerged\t*\n")

    after = [Mutant(*to, "< -> <=", 2) for to in [("new", "C.f"), ("merged", "g"), ("m", "f")]]
    now = dict.fromkeys(after, Outcome.KILLED)
    assert sample.read(tmp_path) == now

    sample.write(sample.read(tmp_path), tmp_path)

    assert sample.read(tmp_path) == now
    assert (tmp_path / sample.NAMES).read_text() == ""


def test_pure_modules_are_named_as_their_files() -> None:
    """A renamed module would end the rig before its first mutant."""
    files = {path.stem for path in (REPOSITORY / "hardware").glob("*.py")}

    assert set(PURE) <= files


def test_sample_of_a_module_is_the_same_each_time() -> None:
    mutants = [Mutant("m", "f", "0 -> 1", number) for number in range(100)]

    chosen = sample.chosen("m", mutants)

    assert len(chosen) == sample.PER_MODULE
    assert sample.chosen("m", reversed(mutants)) == chosen


def test_mutant_is_lost_if_it_was_killed_and_is_not_now() -> None:
    one, other = (Mutant("m", "f", "0 -> 1", number) for number in (1, 2))
    before = dict.fromkeys([one, other], Outcome.KILLED)

    assert sample.lost(before, {one: Outcome.SURVIVED, other: Outcome.KILLED}) == [one]
    assert sample.lost(before, {one: Outcome.OPEN, other: Outcome.UNDECIDED}) == [other]
    assert sample.lost({one: Outcome.SURVIVED}, {one: Outcome.SURVIVED}) == []


@pytest.mark.parametrize(
    ("before", "now", "all_tests", "recorded"),
    [
        (Outcome.KILLED, Outcome.SURVIVED, True, Outcome.SURVIVED),
        (Outcome.KILLED, Outcome.SURVIVED, False, Outcome.KILLED),
        (Outcome.KILLED, Outcome.OPEN, True, Outcome.KILLED),
        (Outcome.SURVIVED, Outcome.KILLED, False, Outcome.KILLED),
        (None, Outcome.SURVIVED, False, Outcome.OPEN),
    ],
)
def test_only_what_a_run_settles_is_recorded(
    before: Outcome | None, now: Outcome, recorded: Outcome, *, all_tests: bool
) -> None:
    one = Mutant("m", "f", "0 -> 1", 1)
    known = {} if before is None else {one: before}

    assert sample.settled(known, {one: now}, all_tests=all_tests) == {one: recorded}


@pytest.mark.slow
def test_rig_tells_how_each_mutant_ends(tmp_path: Path) -> None:
    """A test that fails on the unchanged code kills nothing."""
    (tmp_path / "module.py").write_text(SWITCHED)
    (tmp_path / "test_module.py").write_text(TESTS)
    mutants = [f"module.x_count__mutmut_{number}" for number in range(1, 7)]
    mutants.append("module.x_unused__mutmut_1")
    (tmp_path / "mutants.json").write_text(json.dumps(mutants))

    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.trials"),
            *("-p", "no:cacheprovider", "--mutants", "mutants.json", "ended.json"),
            *("--mutant-limit-s", "3", "test_module.py"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )

    ended = json.loads((tmp_path / "ended.json").read_text())
    assert [ended[one] for one in mutants] == [
        Outcome.KILLED,
        Outcome.SURVIVED,
        Outcome.KILLED,
        Outcome.KILLED,
        Outcome.KILLED,
        Outcome.SURVIVED,
        Outcome.NO_TEST,
    ]
