"""Presses, voids, cuts, restarts, prunes, rebuilds, clocks and faults in any order lose nothing."""

from dataclasses import fields
from pathlib import Path

import pytest

from agent.models import RecordState
from tests.faults.sequences.machine import FAULTS
from tests.faults.sequences.run import run
from tests.support.faulty.switches import Switches

SEED = 1
"""A seed whose examples reach every state through every fault."""

AIMS = {"methods", "times", "headers", "body"}
"""Switches that say whom a fault concerns, and what it looks like."""

ELSEWHERE = {"die_after"}
"""The machine's backend is in its own process: tests/contracts/test_backend_dying.py throws it."""


@pytest.mark.slow
def test_no_order_of_misfortunes_breaks_a_promise(tmp_path: Path) -> None:
    """The examples are always the same; `python -m tests.faults.sequences` tries others."""
    seen = run(tmp_path, examples=50, steps=20, seed=SEED)

    met = {"power cut", "sync killed", "key changed", "shut out", "receipts by two keys"}
    assert seen.keys() >= {*RecordState, *FAULTS, *met}


def test_every_fault_of_the_backend_is_thrown() -> None:
    """A new switch wants its place in the machine."""
    assert {one.name for one in fields(Switches)} == FAULTS.keys() | AIMS | ELSEWHERE
