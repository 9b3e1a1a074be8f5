"""Lines that are cut, silent or slow in the middle of a handshake that shows a certificate."""

from collections.abc import Callable, Iterator

import pytest

from agent.wire.http import Limits
from tests.faults.network.box import Way
from tests.faults.network.mutual import GOOD, MutualRig, mutual_rig
from tests.faults.network.rig import in_memory
from tests.support.network import Line

pytestmark = pytest.mark.slow

EVERY = 211
"""One byte in so many is tried: the parts of a handshake are longer, but for its headers."""

HASTY = Limits(connect_s=1.0, read_s=1.0, progress_s=1.0, attempt_s=20.0)
"""So that a silent line costs a second; the product's limits differ in length only."""

ATTEMPTS = 5
"""With hasty limits a healthy line may seem silent on a machine that is busy."""


@pytest.fixture
def one() -> Iterator[MutualRig]:
    with in_memory() as folder, mutual_rig(folder) as made:
        yield made


@pytest.fixture
def hasty() -> Iterator[MutualRig]:
    with in_memory() as folder, mutual_rig(folder, HASTY) as made:
        yield made


def lines(way: Way, harmed: Line) -> tuple[Line, Line]:
    """The lines up and down, one of them harmed."""
    return (harmed, GOOD) if way == "up" else (GOOD, harmed)


def violations(
    rig: MutualRig, way: Way, points: list[int], harmed: Callable[[int], Line], within: int = 1
) -> dict[int, list[str]]:
    tried = {at: rig.harmed(*lines(way, harmed(at)), within=within) for at in points}
    return {at: wrong for at, wrong in tried.items() if wrong}


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_cut_at_any_byte_loses_nothing(one: MutualRig, way: Way) -> None:
    """Of the handshake with the device's certificate, the request and the answer."""
    end = one.extent()[way]
    points = [*range(0, end, EVERY), end]

    assert violations(one, way, points, lambda at: Line(cut_after_bytes=at), ATTEMPTS) == {}


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_handshake_that_falls_silent_loses_nothing(hasty: MutualRig, way: Way) -> None:
    end = hasty.extent()[way]
    points = [0, 1, 300, end // 3, end // 2, end - 1]

    assert violations(hasty, way, points, lambda at: Line(silent_after_bytes=at), ATTEMPTS) == {}


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_slow_handshake_loses_nothing(hasty: MutualRig, way: Way) -> None:
    """At one byte per second it is given up, at 3 KB per second it goes through."""
    for rate in (1.0, 3000.0):
        slow = Line(rate_bytes_per_s=rate)
        assert hasty.harmed(*lines(way, slow), within=ATTEMPTS) == [], rate
