"""A simulated fleet that comes back in the same second, with the product's own back-off.

It proves that neither an outage nor links that come up together cause a storm of requests.
`python -m tests.bench.retries` prints the busiest seconds, next to a back-off without jitter.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count
from typing import Final

from agent.sync.backoff import BACK_OFF_CAP_S, Backoff, log
from agent.sync.loop import LOOK_S

DEVICES: Final = 5_000

PRESS_EVERY_S: Final = 192.0
"""150 presses in eight hours, a full suburban round."""

SEND_S: Final = 0.5
"""A record of 300 KB over a mobile network of 8 Mbit/s: 0.3 s, and round trips."""

AWAY_S: Final = 300.0
BACK_S: Final = AWAY_S + 3600.0
WATCHED_S: Final = 900.0
"""Length of the simulation after the network is back: the longest back-off three times."""

MOMENT: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)

Network = Callable[[float], bool]
"""Says whether the backend hears of an attempt at an instant; else the attempt fails at once."""

Event = tuple[float, int, bool]
"""When a device has a turn, its place in the fleet, and whether its link changes then."""


@dataclass(slots=True)
class Device:
    """A device; `step` is one turn of agent/sync/loop.py's loop that does something.

    Attributes:
        heard_s: when the backend heard of each attempt that it heard of.
        waiting: the records as the queue orders them: due at, number, attempts so far.
    """

    backoff: Backoff
    rng: random.Random
    press_s: float
    heard_s: list[float] = field(default_factory=list)
    waiting: list[tuple[float, int, int]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def queue(self, due_s: float) -> None:
        heapq.heappush(self.waiting, (due_s, next(self._numbers), 0))

    def step(self, now_s: float, network: Network) -> float:
        """Make an attempt if the loop would; return when the loop does something next."""
        self._press_until(now_s)
        if self.backoff.rest_until_s <= now_s and self.waiting and self.waiting[0][0] <= now_s:
            now_s = self._attempt(now_s, network)
            self._press_until(now_s)
        due_s = self.waiting[0][0] if self.waiting else float("inf")
        look_s = self.press_s + self.rng.uniform(0.0, LOOK_S)
        return max(self.backoff.rest_until_s, min(due_s, look_s), now_s)

    def _attempt(self, now_s: float, network: Network) -> float:
        """Try the next record; return when that has ended."""
        _, number, attempts = heapq.heappop(self.waiting)
        if network(now_s):
            self.heard_s.append(now_s)
            self.backoff.note_decision(MOMENT, delivered=True)
            return now_s + SEND_S
        due_s = now_s + self.backoff.retry_wait_s(attempts + 1, None)
        heapq.heappush(self.waiting, (due_s, number, attempts + 1))
        self.backoff.note_lost(now_s, "no service", None)
        return now_s

    def _press_until(self, now_s: float) -> None:
        while self.press_s <= now_s:
            self.queue(0.0)
            self.press_s += self.rng.expovariate(1 / PRESS_EVERY_S)


class UnjitteredBackoff(Backoff):
    """An exponential back-off that is the same for each device."""

    def back_off_s(self, failures: int) -> float:
        return min(2.0 ** min(failures - 1, 16), BACK_OFF_CAP_S)


BACKOFFS: Final = {"doorstep": Backoff, "no jitter": UnjitteredBackoff}


def is_there(now_s: float) -> bool:
    """Return whether there is a network."""
    return not AWAY_S <= now_s < BACK_S


@dataclass(frozen=True, slots=True)
class Scenario:
    """Ways in which devices come to retry together, while the network is down for an hour.

    Attributes:
        links: within how many seconds all links go down, and come up; None if they stay.
        due_within_s: each device has a record that is due so soon after the network is away, at
            most; None if only presses make records.
    """

    links: tuple[float, float] | None = None
    due_within_s: float | None = None

    def device(self, backoff: type[Backoff], rng: random.Random) -> Device:
        device = Device(backoff(rng), rng, rng.expovariate(1 / PRESS_EVERY_S))
        if self.due_within_s is not None:
            device.queue(AWAY_S + rng.uniform(0.0, self.due_within_s))
        return device

    def news(self, rng: random.Random) -> list[Event]:
        """Return when the link of which device changes."""
        spreads = [*zip((AWAY_S, BACK_S), self.links, strict=True)] if self.links else []
        return [
            (at_s + rng.uniform(0.0, spread_s), place, True)
            for place in range(DEVICES)
            for at_s, spread_s in spreads
        ]


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "away for an hour": Scenario(),
    "away, lost within 5 s": Scenario(due_within_s=5.0),
    "links up within a second": Scenario(links=(1, 1)),
    "links up within a minute": Scenario(links=(1, 60)),
}


def peaks(name: str, backoff: type[Backoff] = Backoff, seed: int = 1) -> tuple[int, int]:
    """Return the most first tries, and requests, in a second since the network is back."""
    scenario, rng = SCENARIOS[name], random.Random(seed)
    devices = [scenario.device(backoff, random.Random(rng.random())) for _ in range(DEVICES)]
    log.disabled = True  # each device would log that its link is lost
    try:
        _run(devices, scenario.news(rng))
    finally:
        log.disabled = False
    heard = [[at_s for at_s in one.heard_s if at_s >= BACK_S] for one in devices]
    return _busiest(one[0] for one in heard if one), _busiest(chain.from_iterable(heard))


def _run(devices: list[Device], news: list[Event]) -> None:
    """Run all devices to the end; news of a link replaces the device's planned turn."""
    planned = [device.step(0.0, is_there) for device in devices]
    events = [*news, *((at_s, place, False) for place, at_s in enumerate(planned))]
    heapq.heapify(events)
    while events and events[0][0] <= BACK_S + WATCHED_S:
        now_s, place, is_news = heapq.heappop(events)
        device = devices[place]
        if is_news:
            device.backoff.link_news(now_s)
        elif planned[place] != now_s:
            continue
        planned[place] = device.step(now_s, is_there)
        heapq.heappush(events, (planned[place], place, False))


def _busiest(moments_s: Iterable[float]) -> int:
    """Return the most moments in one second, as a server's log counts them."""
    return max(Counter(map(int, moments_s)).values(), default=0)
