"""Lines that fall silent, or go at one byte per second: an attempt ends, and nothing is lost."""

from collections.abc import Iterator

import pytest

from agent.models import State
from agent.wire.http import Limits
from tests.faults.network.box import Ending, Fault, Way
from tests.faults.network.rig import Exchange, Rig, in_memory, rig

pytestmark = pytest.mark.slow

HASTY = Limits(connect_s=2.0, read_s=0.3, progress_s=0.3, attempt_s=20.0)
"""So that a silent line costs 0.3 s; the product's limits differ in length only."""

WATCHFUL = Limits(connect_s=2.0, read_s=30.0, progress_s=1.5, attempt_s=2.5)
"""No single read ends a drip; the stall limit must."""

ATTEMPTS = 5
"""With hasty limits a healthy line may seem silent on a machine that is busy."""


@pytest.fixture
def hasty() -> Iterator[Rig]:
    with in_memory() as folder, rig(folder, HASTY) as made:
        yield made


@pytest.fixture
def watchful() -> Iterator[Rig]:
    with in_memory() as folder, rig(folder, WATCHFUL) as made:
        yield made


@pytest.mark.parametrize("exchange", Exchange)
@pytest.mark.parametrize("way", ["up", "down"])
def test_line_that_falls_silent_loses_nothing(hasty: Rig, exchange: Exchange, way: Way) -> None:
    """Both connections stay open, and the backend still waits for the rest."""
    extent = hasty.extent(exchange)
    end = extent.passed[way]
    middle = extent.head_bytes if 0 < extent.head_bytes < end else end // 2
    for after_bytes in (0, 1, middle - 1, middle, middle + 1, end - 1, end):
        item = hasty.prepare(exchange)
        hasty.box.arm(Fault(way, after_bytes, Ending.SILENT))
        hasty.attempt(item)

        assert hasty.outcome(item, [], within=ATTEMPTS) == [], after_bytes


@pytest.mark.parametrize(
    ("exchange", "fault", "why"),
    [
        (Exchange.FIRST, Fault("up", 1000, Ending.DRIP), "no byte went out or came in for 1.5 s"),
        (Exchange.FIRST, Fault("down", 20, Ending.DRIP), "no byte went out or came in for 1.5 s"),
        (Exchange.RECEIPT, Fault("down", -100, Ending.DRIP), "the attempt took longer than 2.5 s"),
    ],
)
def test_one_byte_per_second_ends_the_attempt(
    watchful: Rig, exchange: Exchange, fault: Fault, why: str
) -> None:
    """In a body that goes out, in a head that comes in, and in a body that comes in."""
    end = watchful.extent(exchange, 900_000).passed[fault.way]
    item = watchful.prepare(exchange, 900_000)
    watchful.box.arm(Fault(fault.way, fault.after_bytes % end, fault.ending))
    watchful.attempt(item)

    row = watchful.row(item)
    assert row.state is State.PENDING
    assert (row.answer or "").removeprefix("sent whole 1: ") == why
    assert watchful.outcome(item, [], within=ATTEMPTS) == []
