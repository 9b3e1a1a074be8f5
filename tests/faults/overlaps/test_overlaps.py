"""Some rounds of each kind, on the product as it is."""

import random
from collections.abc import Iterator

import pytest

from tests.faults.overlaps.__main__ import ROUNDS
from tests.faults.overlaps.pair import Pair, running_pair

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with running_pair() as running:
        yield running


@pytest.mark.parametrize("name", ROUNDS)
def test_requests_at_two_instances_at_once_end_as_if_in_sequence(pair: Pair, name: str) -> None:
    assert not any(ROUNDS[name](pair, random.Random(seed)) for seed in range(5))
