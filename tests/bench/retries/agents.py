"""A fleet in simulated time: each device has the product's own back-off, and the loop's rules."""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, assert_never

from agent.sync.backoff import Backoff
from agent.sync.loop import LOOK_S

PRESS_EVERY_S: Final = 192.0
"""150 presses in eight hours, a full suburban round."""

SEND_S: Final = 0.5
"""One record of 300 KB over a mobile network of 8 Mbit/s: 0.3 s, and round trips."""

MOMENT: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)

Waiting = tuple[float, int, int]
"""A record as the queue orders it: due at, number, attempts so far."""


@dataclass(frozen=True, slots=True)
class Served:
    """The backend took the record in; it heard of it `after_s` later."""

    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Busy:
    """The backend answered 503, and asked to be left alone for so long."""

    asked_s: float


@dataclass(frozen=True, slots=True)
class Silent:
    """The backend heard nothing; it took `after_s` to find that out."""

    after_s: float


Answer = Served | Busy | Silent

Network = Callable[[float], Answer]
"""What an attempt at an instant comes to."""


@dataclass(slots=True)
class Agent:
    """One device; `step` is one turn of agent/sync/loop.py's loop that does something.

    Attributes:
        heard_s: when the backend heard of each attempt that it heard of.
    """

    backoff: Backoff
    dice: random.Random
    press_s: float
    heard_s: list[float] = field(default_factory=list)
    _waiting: list[Waiting] = field(default_factory=list)
    _number: int = 0

    def queue(self, due_s: float) -> None:
        self._number += 1
        heapq.heappush(self._waiting, (due_s, self._number, 0))

    def link_news(self, now_s: float) -> None:
        self.backoff.link_news(now_s)

    def step(self, now_s: float, network: Network) -> float:
        """Make an attempt if the loop would; returns when the loop does something next."""
        self._press_until(now_s)
        if self.backoff.rest_until_s <= now_s and self._waiting and self._waiting[0][0] <= now_s:
            now_s = self._attempt(now_s, network)
            self._press_until(now_s)
        due_s = self._waiting[0][0] if self._waiting else float("inf")
        look_s = self.press_s + self.dice.uniform(0.0, LOOK_S)
        return max(self.backoff.rest_until_s, min(due_s, look_s), now_s)

    def _attempt(self, now_s: float, network: Network) -> float:
        """Try what is longest due; returns when that is over."""
        _, number, attempts = heapq.heappop(self._waiting)
        match network(now_s):
            case Served(after_s):
                self.heard_s.append(now_s + after_s)
                self.backoff.signed(MOMENT, delivered=True)
                return now_s + after_s + SEND_S
            case Busy(asked_s):
                self.heard_s.append(now_s)
                self._lose(now_s, number, attempts + 1, asked_s)
                return now_s
            case Silent(after_s):
                self._lose(now_s + after_s, number, attempts + 1, None)
                return now_s + after_s
            case other:
                assert_never(other)

    def _lose(self, now_s: float, number: int, attempts: int, asked_s: float | None) -> None:
        due_s = now_s + self.backoff.wait_s(attempts, asked_s)
        heapq.heappush(self._waiting, (due_s, number, attempts))
        self.backoff.lost(now_s, "no service", asked_s)

    def _press_until(self, now_s: float) -> None:
        while self.press_s <= now_s:
            self.queue(0.0)
            self.press_s += self.dice.expovariate(1 / PRESS_EVERY_S)


def live(
    agents: list[Agent], network: Network, news: list[tuple[float, int]], until_s: float
) -> None:
    """Let all agents live from 0 to `until_s`; `news` are moments at which an agent's link changes.

    An agent's turn that was planned before its link changed is forgotten.
    """
    planned = [agent.step(0.0, network) for agent in agents]
    events = [(at_s, place, False) for place, at_s in enumerate(planned)]
    events += [(at_s, place, True) for at_s, place in news]
    heapq.heapify(events)
    while events and events[0][0] <= until_s:
        now_s, place, is_news = heapq.heappop(events)
        agent = agents[place]
        if is_news:
            agent.link_news(now_s)
        elif planned[place] != now_s:
            continue
        planned[place] = agent.step(now_s, network)
        heapq.heappush(events, (planned[place], place, False))


def busiest(moments_s: Iterable[float]) -> int:
    """The most that fall into one second, as a server's log counts them."""
    return max(Counter(int(one) for one in moments_s).values(), default=0)


def first_after(agents: list[Agent], back_s: float) -> Iterator[float]:
    """When each agent that had something to send tried for the first time since `back_s`."""
    for agent in agents:
        moment_s = next((one for one in agent.heard_s if one >= back_s), None)
        if moment_s is not None:
            yield moment_s
