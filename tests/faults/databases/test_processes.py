"""The processes of a device open hostile databases, as their users and under their limits."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.faults.databases.__main__ import LATER_S, usual, wrong_about
from tests.faults.databases.attacked import Attacked, attacked

pytestmark = pytest.mark.slow

TRIED: Final = ("a cache of 8 TB", "30,000 views", "100,000 indexes", "a tree of 60,000 levels")
"""Attacks that killed capture at every start, or delayed it for minutes; the rig tries all."""


@pytest.fixture(scope="module")
def device() -> Iterator[Attacked]:
    with attacked() as made:
        yield made


@pytest.fixture(scope="module")
def usual_s(device: Attacked) -> float:
    return usual(device)


@pytest.mark.parametrize("name", TRIED)
def test_hostile_database_kills_no_process_and_delays_no_press(
    device: Attacked, usual_s: float, name: str
) -> None:
    """The queue is set aside at capture's start, and the first press leaves its record."""
    came = device.attack(name, 1)

    assert wrong_about(name, came) == []
    assert came.first_press_s < usual_s + LATER_S
