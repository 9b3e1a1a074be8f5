"""A share of `scripts/test --fuzz` for every parser, and tests that the rig catches faults."""

import random

import pytest

from tests.faults.fuzz.child import mutator
from tests.faults.fuzz.corpus import FOLDER, samples
from tests.faults.fuzz.parsers import PARSERS
from tests.faults.fuzz.rig import run
from tests.faults.fuzz.shapes import SHAPES, Shape, edited

FEW = 30
"""Inputs of each parser, its samples among them: some 10 s in all."""

MORE = 400

LARGEST_SAMPLE_BYTES = 60_000


def findings(parsers: list[str], seed: int, count: int) -> dict[str, list[str]]:
    """Run these parsers; return the faults of each, with the number of the input."""
    seen = run(parsers, seed, count)
    assert all(one.inputs == count for one in seen.values())
    return {
        name: [f"{each.number}: {each.fault} {each.place}" for each in one.findings.values()]
        for name, one in seen.items()
        if one.findings
    }


def test_no_parser_breaks_a_limit_on_a_few_inputs() -> None:
    """Former findings are among the samples."""
    assert findings([*PARSERS], 1, FEW) == {}


@pytest.mark.slow
def test_no_parser_breaks_a_limit_on_more_inputs() -> None:
    assert findings([*PARSERS], 2, MORE) == {}


def test_rig_catches_parsers_that_break_a_limit_and_goes_on() -> None:
    broken = {
        "broken-raises": "KeyError: 'capture_id'",
        "broken-takes-long": " ms",
        "broken-takes-memory": " MB",
        "broken-takes-all-memory": "MemoryError",
        "broken-nests": "RecursionError",
        "broken-dies": "SIGSEGV: died in machine code",
        "broken-documents": "",
    }
    seen = run([*broken], 1, 1)

    assert [one.inputs for one in seen.values()] == [1] * len(broken)
    for name, fault in broken.items():
        faults = [each.fault for each in seen[name].findings.values()]
        assert len(faults) == bool(fault), name
        assert all(fault in each for each in faults), name


@pytest.mark.slow
def test_rig_ends_a_parser_that_never_ends_in_machine_code() -> None:
    seen = run(["broken-never-ends"], 1, 1)["broken-never-ends"]

    assert [one.fault for one in seen.findings.values()] == ["took 4000 or more ms"]


@pytest.mark.parametrize("name", PARSERS)
def test_corpus_has_small_samples_for_each_parser(name: str) -> None:
    sizes = list(map(len, samples(name)))

    assert 0 < len(sizes) <= FEW
    assert max(sizes) <= min(LARGEST_SAMPLE_BYTES, PARSERS[name].most_bytes)


def test_corpus_has_no_samples_of_a_parser_that_is_gone() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*PARSERS}


@pytest.mark.parametrize("name", ["socket", "csr", "tar", "manifest", "picture", "age"])
def test_input_is_the_same_for_the_same_seed_and_number(name: str) -> None:
    made = mutator(PARSERS[name])
    inputs = [made.make(1, number) for number in range(100)]

    assert inputs == [made.make(1, number) for number in range(100)]
    assert inputs[: len(made.samples)] == list(made.samples)
    assert len({*inputs}) > 80
    assert inputs[50:] != [made.make(2, number) for number in range(50, 100)]
    assert max(map(len, inputs)) <= PARSERS[name].most_bytes


@pytest.mark.parametrize("shape", SHAPES)
def test_edit_by_structure_changes_a_sample_of_its_shape(shape: Shape) -> None:
    rng = random.Random(1)
    of_shape = [name for name, parser in PARSERS.items() if parser.shape is shape]
    sample = samples(of_shape[0])[0]

    assert len({edited(shape, sample, rng) for _ in range(60)}) > 20
