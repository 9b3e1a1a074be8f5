"""Five thousand devices that come back must not be a storm, and the simulation must be the product.

`python -m tests.bench.retries` prints what the tests look at, beside other ways to retry.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from agent.models import Item
from agent.sync.backoff import Backoff
from agent.sync.delivery import Delivery
from agent.sync.loop import Sync
from agent.sync.outcome import NoService
from tests.bench.retries.agents import Agent, Silent, busiest
from tests.bench.retries.scenarios import (
    AT_MOST,
    BACKEND_AWAY,
    LOST_TOGETHER,
    SAME_SECOND,
    WITHIN_A_MINUTE,
    FixedBackoff,
    Scenario,
    UnjitteredBackoff,
    peaks,
)
from tests.support.sending import SetClock, device_queue

TURNS = 60


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [BACKEND_AWAY, LOST_TOGETHER], ids=lambda one: one.name)
def test_first_retries_of_5000_devices_stay_below_50_a_second(scenario: Scenario) -> None:
    """Full jitter of 300 s has forgotten after an hour how the outage began."""
    assert peaks(scenario, Backoff).first <= AT_MOST


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [SAME_SECOND, WITHIN_A_MINUTE], ids=lambda one: one.name)
def test_links_that_come_up_together_are_no_storm(scenario: Scenario) -> None:
    """News of the link must not tell every device of a cell to try in the same second.

    Some would have tried in that second anyhow, so it is more than without such news.
    """
    assert peaks(scenario, Backoff).first <= 2 * AT_MOST


@pytest.mark.slow
@pytest.mark.parametrize("backoff", [FixedBackoff, UnjitteredBackoff])
def test_without_jitter_it_would_be_a_storm(backoff: type[Backoff]) -> None:
    """A simulation that shows no storm where there must be one proves nothing."""
    assert peaks(LOST_TOGETHER, backoff).first > 10 * AT_MOST


def test_requests_are_counted_by_the_second() -> None:
    assert busiest([1.0, 1.99, 2.0, 7.5]) == 2
    assert busiest([]) == 0


def test_simulated_device_is_the_products_loop(tmp_path: Path) -> None:
    """By the same dice both try at the same moments while the network is away."""
    simulated = Agent(Backoff(random.Random(3)), random.Random(4), float("inf"))
    for _ in range(5):
        simulated.queue(0.0)

    assert list(_moments(simulated)) == list(_moments_of_the_product(tmp_path))


def _moments(agent: Agent) -> Iterator[float]:
    """When the simulated device tries, out of the network."""
    tried: list[float] = []

    def away(now_s: float) -> Silent:
        tried.append(now_s)
        return Silent(0.0)

    now_s = 0.0
    while len(tried) < TURNS:
        now_s = agent.step(now_s, away)
    yield from tried


class Away:
    """A delivery without a network that notes when it was asked."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.tried: list[float] = []

    def obstacle(self) -> None:
        return None

    def send(self, _item: Item, _content: bytes) -> NoService:
        self.tried.append(self.clock.now_s)
        return NoService("no route")


def _moments_of_the_product(folder: Path) -> list[float]:
    """When the product's own loop tries, over a real queue."""
    with device_queue(folder) as made:
        for _ in range(5):
            made.press(photo_bytes=10)
        clock = SetClock(0.0)
        away = Away(clock)
        sync = Sync(made.layout, made.outbox, cast(Delivery, away), clock, random.Random(3))
        while len(away.tried) < TURNS:
            wait_s = sync.step()
            if wait_s:
                rest_s = sync._backoff.rest_until_s  # noqa: SLF001 - the loop looks every 2 s until then
                clock.now_s = max(rest_s, made.outbox.due_s() or 0.0)
    return away.tried
