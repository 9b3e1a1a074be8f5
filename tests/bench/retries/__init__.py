"""A simulated fleet that comes back in the same second, with the product's own back-off.

It proves that an outage, links that come up together or a common start cause no storm of requests.
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
from agent.sync.loop import LOOK_S, START_JITTER_S

DEVICES: Final = 5_000

PRESS_EVERY_S: Final = 192.0
"""150 presses in eight hours, a full suburban round."""

RECORDS: Final = 19
"""An hour's presses of one device."""

SEND_S: Final = 0.5
"""One record of 300 KB over a mobile network of 8 Mbit/s: 0.3 s, and round trips."""

AWAY_S: Final = 300.0
BACK_S: Final = AWAY_S + 3600.0
WATCHED_S: Final = 900.0
"""Length of the simulation after the network is back: the longest back-off three times."""

CONNECT_S: Final = 15.0
"""Source: agent.wire.http.Limits.connect_s."""

SYNS_S: Final = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0)
"""When Linux repeats an unanswered SYN. Source: ip-sysctl, tcp_syn_linear_timeouts is 4."""

MOMENT: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)

Answer = tuple[bool, float]
"""Whether the backend hears of an attempt, and the time until then or until the device gives up."""

Network = Callable[[float], Answer]
"""Gives the answer to an attempt at an instant."""

Event = tuple[float, int, bool]
"""When a device has a turn, its place in the fleet, and whether its link changes then."""


@dataclass(slots=True)
class Device:
    """One device; `step` is one turn of agent/sync/loop.py's loop that does something.

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
        _, number, attempts = heapq.heappop(self.waiting)
        is_heard, after_s = network(now_s)
        over_s = now_s + after_s
        if is_heard:
            self.heard_s.append(over_s)
            self.backoff.note_decision(MOMENT, delivered=True)
            return over_s + SEND_S
        due_s = over_s + self.backoff.retry_wait_s(attempts + 1, None)
        heapq.heappush(self.waiting, (due_s, number, attempts + 1))
        self.backoff.note_lost(over_s, "no service", None)
        return over_s

    def _press_until(self, now_s: float) -> None:
        while self.press_s <= now_s:
            self.queue(0.0)
            self.press_s += self.rng.expovariate(1 / PRESS_EVERY_S)


class UnjitteredBackoff(Backoff):
    """An exponential back-off that is the same for each device."""

    def back_off_s(self, failures: int) -> float:
        return min(2.0 ** min(failures - 1, 16), BACK_OFF_CAP_S)


BACKOFFS: Final = {"doorstep": Backoff, "no jitter": UnjitteredBackoff}


def refused(now_s: float) -> Answer:
    """Fail at once during the outage: there is no route."""
    return not AWAY_S <= now_s < BACK_S, 0.0


def vanishing(now_s: float) -> Answer:
    """Lose all packets during the outage; a connection in progress succeeds at its next SYN."""
    if not AWAY_S <= now_s < BACK_S:
        return True, 0.0
    heard = ((True, after_s) for after_s in SYNS_S if now_s + after_s >= BACK_S)
    return next(heard, (False, CONNECT_S))


@dataclass(frozen=True, slots=True)
class Scenario:
    """How the devices come to retry together.

    Attributes:
        links: within how many seconds all links go down, and come up; None if they stay.
        starts: gives the due times of the records that a device has at 0 s.
        back_s: when the network is back.
    """

    network: Network = refused
    links: tuple[float, float] | None = None
    starts: Callable[[random.Random], list[float]] = lambda _rng: []
    back_s: float = BACK_S

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
    "away, lost within 5 s": Scenario(starts=lambda rng: [AWAY_S + rng.uniform(0.0, 5.0)]),
    "away, packets vanish": Scenario(vanishing),
    "links up within a second": Scenario(links=(1, 1)),
    "links up within a minute": Scenario(links=(1, 60)),
    "switched on together": Scenario(
        lambda _now_s: (True, 0.0),
        starts=lambda rng: [rng.uniform(0.0, START_JITTER_S)] * RECORDS,
        back_s=0.0,
    ),
}


def peaks(name: str, backoff: type[Backoff] = Backoff, seed: int = 1) -> tuple[int, int]:
    """Return the most first tries, and requests, in a second since the network is back."""
    scenario, rng = SCENARIOS[name], random.Random(seed)
    devices = [_device(backoff, random.Random(rng.random()), scenario) for _ in range(DEVICES)]
    log.disabled = True  # each device would log that its link is lost
    try:
        _run(devices, scenario.network, scenario.news(rng), scenario.back_s + WATCHED_S)
    finally:
        log.disabled = False
    heard = [[at_s for at_s in one.heard_s if at_s >= scenario.back_s] for one in devices]
    return _busiest(one[0] for one in heard if one), _busiest(chain.from_iterable(heard))


def _device(backoff: type[Backoff], rng: random.Random, scenario: Scenario) -> Device:
    device = Device(backoff(rng), rng, rng.expovariate(1 / PRESS_EVERY_S))
    for due_s in scenario.starts(rng):
        device.queue(due_s)
    return device


def _run(devices: list[Device], network: Network, news: list[Event], until_s: float) -> None:
    """Run all devices until then; news of a link replaces the device's planned turn."""
    planned = [device.step(0.0, network) for device in devices]
    events = [*news, *((at_s, place, False) for place, at_s in enumerate(planned))]
    heapq.heapify(events)
    while events and events[0][0] <= until_s:
        now_s, place, is_news = heapq.heappop(events)
        device = devices[place]
        if is_news:
            device.backoff.link_news(now_s)
        elif planned[place] != now_s:
            continue
        planned[place] = device.step(now_s, network)
        heapq.heappush(events, (planned[place], place, False))


def _busiest(moments_s: Iterable[float]) -> int:
    """Return the most moments in one second, as a server's log counts them."""
    return max(Counter(map(int, moments_s)).values(), default=0)
