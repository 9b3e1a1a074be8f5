"""5,000 devices that come back are no storm, and a simulated device does what the product does."""

import random
from pathlib import Path
from typing import cast

import pytest

from agent.models import Item
from agent.sync.backoff import Backoff
from agent.sync.delivery import Delivery
from agent.sync.loop import Sync
from agent.sync.outcome import NoService
from tests.bench.retries import Device, UnjitteredBackoff, peaks
from tests.support.sending import SetClock, device_queue

AT_MOST = 50
"""First tries in a second: a hundredth of the fleet."""

TURNS = 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "at_most"),
    [
        ("away for an hour", AT_MOST),
        ("away, lost within 5 s", AT_MOST),
        ("links up within a second", 2 * AT_MOST),  # some would have tried then without the news
        ("links up within a minute", 2 * AT_MOST),
    ],
)
def test_first_tries_of_5000_devices_stay_few_in_each_second(scenario: str, at_most: int) -> None:
    """Full jitter hides how the outage began, and news of a link starts no device at once."""
    assert peaks(scenario)[0] <= at_most


@pytest.mark.slow
def test_retries_would_be_a_storm_without_jitter() -> None:
    """A simulation that shows no storm where there must be one proves nothing."""
    assert peaks("away, lost within 5 s", UnjitteredBackoff)[0] > 10 * AT_MOST


class Away:
    """A delivery without a network that notes when it was asked."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.tried_s: list[float] = []

    def obstacle(self) -> None:
        return None

    def send(self, _item: Item, _content: bytes) -> NoService:
        self.tried_s.append(self.clock.now_s)
        return NoService("no route")


def test_simulated_device_is_the_products_loop(tmp_path: Path) -> None:
    """By the same random numbers both try at the same moments while the network is down."""
    simulated = Device(Backoff(random.Random(3)), random.Random(4), float("inf"))
    tried_s: list[float] = []

    def away(now_s: float) -> bool:
        tried_s.append(now_s)
        return False

    for _ in range(5):
        simulated.queue(0.0)
    now_s = 0.0
    while len(tried_s) < TURNS:
        now_s = simulated.step(now_s, away)

    assert tried_s == _tried_by_the_product_s(tmp_path)


def _tried_by_the_product_s(folder: Path) -> list[float]:
    """Return when the product's own loop tries, over a real queue."""
    with device_queue(folder) as made:
        for _ in range(5):
            made.press(photo_bytes=10)
        clock = SetClock(0.0)
        away = Away(clock)
        sync = Sync(made.layout, made.outbox, cast(Delivery, away), clock, random.Random(3))
        while len(away.tried_s) < TURNS:
            if sync.step():
                rest_s = sync._backoff.rest_until_s  # noqa: SLF001 - the loop looks every 2 s until then
                clock.now_s = max(rest_s, made.outbox.due_s() or 0.0)
    return away.tried_s
