"""What brings a herd together: an outage, a link that comes up everywhere, a common power-up."""

import logging
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from agent.sync.backoff import BACK_OFF_CAP_S, Backoff
from agent.sync.loop import START_JITTER_S
from tests.bench.retries.agents import (
    PRESS_EVERY_S,
    Agent,
    Answer,
    Busy,
    Network,
    Served,
    Silent,
    busiest,
    first_after,
    live,
)

AGENTS: Final = 5_000
AT_MOST: Final = 50
"""A fleet, and first tries a second: a hundredth of it."""

AWAY_S: Final = 300.0
BACK_S: Final = AWAY_S + 3600.0
WATCHED_S: Final = 900.0
"""How long the herd is watched once it is back: the longest back-off three times."""

RECORDS: Final = 19
"""An hour's presses of one device."""

CONNECT_S: Final = 15.0
"""Source: agent.wire.http.Limits.connect_s."""

SYNS_S: Final = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0)
"""When Linux repeats an unanswered SYN. Source: ip-sysctl, tcp_syn_linear_timeouts is 4."""

Links = Callable[[random.Random], list[tuple[float, int]]]


class FixedBackoff(Backoff):
    """Tries again every 60 s."""

    def back_off_s(self, failures: int) -> float:
        return 60.0 if failures else 0.0


class UnjitteredBackoff(Backoff):
    """Exponential, but everybody by the same seconds."""

    def back_off_s(self, failures: int) -> float:
        return min(2.0 ** min(failures - 1, 16), BACK_OFF_CAP_S)


BACKOFFS: Final[Mapping[str, type[Backoff]]] = {
    "doorstep": Backoff,
    "no jitter": UnjitteredBackoff,
    "each 60 s": FixedBackoff,
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a herd is brought together.

    Attributes:
        name: in the words of the table, which has room for 30 letters.
        network: what an attempt comes to.
        links: when whose link changes.
        starts: what each agent has in its queue at 0 s, as due times; None begins in calm.
        back_s: when the network is back.
    """

    name: str
    network: Network
    links: Links = lambda _dice: []
    starts: Callable[[random.Random], list[float]] = lambda _dice: []
    back_s: float = BACK_S


@dataclass(frozen=True, slots=True)
class Peaks:
    """The most in any one second: first tries since the network is back, and all requests."""

    first: int
    all: int


def healthy(_now_s: float) -> Answer:
    """All is well."""
    return Served()


def refused_at_once(now_s: float) -> Answer:
    """No route: an attempt fails as it begins."""
    return Silent(0.0) if AWAY_S <= now_s < BACK_S else Served()


def black_hole(now_s: float) -> Answer:
    """Packets vanish: a connection in hand when they no longer do is made at its next SYN."""
    if not AWAY_S <= now_s < BACK_S:
        return Served()
    heard = (after_s for after_s in SYNS_S if now_s + after_s >= BACK_S)
    after_s = next(heard, None)
    return Silent(CONNECT_S) if after_s is None else Served(after_s)


def says_120_s(now_s: float) -> Answer:
    """Back, but says 503 with `Retry-After: 120` for its first two minutes."""
    return Busy(120.0) if BACK_S <= now_s < BACK_S + 120 else refused_at_once(now_s)


def says_when(now_s: float) -> Answer:
    """Back, but says 503 with the date of its fifth minute as Retry-After until then."""
    until_s = BACK_S + 300
    is_busy = BACK_S <= now_s < until_s
    return Busy(until_s - now_s) if is_busy else refused_at_once(now_s)


def links_at(down_spread_s: float, up_spread_s: float) -> Links:
    """Everybody's link goes down, and comes up, within so many seconds."""

    def news(dice: random.Random) -> list[tuple[float, int]]:
        return [
            (begin_s + dice.uniform(0.0, spread_s), place)
            for place in range(AGENTS)
            for begin_s, spread_s in ((AWAY_S, down_spread_s), (BACK_S, up_spread_s))
        ]

    return news


def all_at_once(dice: random.Random) -> list[float]:
    """Everybody has a record to send within the same 5 s of the outage."""
    return [AWAY_S + dice.uniform(0.0, 5.0)]


def powered_up(dice: random.Random) -> list[float]:
    """An hour's records, booked by another boot: due within the start's jitter."""
    return [dice.uniform(0.0, START_JITTER_S)] * RECORDS


BACKEND_AWAY: Final = Scenario("away for an hour", refused_at_once)
LOST_TOGETHER: Final = Scenario("away, lost within 5 s", refused_at_once, starts=all_at_once)
SAME_SECOND: Final = Scenario("links up within a second", refused_at_once, links_at(1, 1))
WITHIN_A_MINUTE: Final = Scenario("links up within a minute", refused_at_once, links_at(1, 60))
PROMISED: Final = (BACKEND_AWAY, LOST_TOGETHER, SAME_SECOND, WITHIN_A_MINUTE)
SCENARIOS: Final = (
    BACKEND_AWAY,
    LOST_TOGETHER,
    Scenario("away, packets vanish", black_hole),
    Scenario("away, then Retry-After: 120", says_120_s),
    Scenario("away, then Retry-After: a date", says_when),
    SAME_SECOND,
    WITHIN_A_MINUTE,
    Scenario("switched on together", healthy, starts=powered_up, back_s=0.0),
)


def peaks(scenario: Scenario, backoff: type[Backoff], seed: int = 1, agents: int = AGENTS) -> Peaks:
    """Let a herd live through the scenario."""
    dice = random.Random(seed)
    herd = [_agent(backoff, dice, scenario) for _ in range(agents)]
    with _quiet():
        live(herd, scenario.network, scenario.links(dice), scenario.back_s + WATCHED_S)
    every = (one for agent in herd for one in agent.heard_s if one >= scenario.back_s)
    return Peaks(busiest(first_after(herd, scenario.back_s)), busiest(every))


def _agent(backoff: type[Backoff], dice: random.Random, scenario: Scenario) -> Agent:
    own = random.Random(dice.random())
    agent = Agent(backoff(own), own, own.expovariate(1 / PRESS_EVERY_S))
    for due_s in scenario.starts(own):
        agent.queue(due_s)
    return agent


@contextmanager
def _quiet() -> Iterator[None]:
    """Five thousand devices tell of their link."""
    log = logging.getLogger("agent.sync.backoff")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
