"""Decides which connection ends if there are too many."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from operator import attrgetter
from typing import Final

MOST: Final = 400
"""Connections at once. Each needs two files, and a process has 1024 of them (getrlimit(2))."""

MOST_EARLY: Final = 40
"""Connections without TLS yet: a handshake is the most expensive part of a stranger's request."""

MOST_OF_CERTIFICATE: Final = 8
"""Connections of one device, or of another certificate; a device has one or two."""

MOST_OF_ACCOUNT: Final = 32
"""Connections of one account or token: five browsers keep six each."""


class State(Enum):
    """The state of a connection, which its request decides."""

    EARLY = auto()
    """Before TLS, and unproven."""

    UNPROVEN = auto()
    PROVEN = auto()
    KEPT = auto()
    """An idle one of a proxy: its next request may be anybody's."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of how many connections there may be.

    Attributes:
        most: of all; unproven ones have half of it at most.
        most_early: without TLS yet.
        proxies: addresses that speak for others.
    """

    most: int = MOST
    most_early: int = MOST_EARLY
    proxies: Collection[str] = ()


@dataclass(slots=True, eq=False)
class Place:
    """The place of a connection.

    Attributes:
        network: of the client; `network_of` returns it.
        since_s: when the state began; requests that prove nothing do not renew it.
        owner: the device, account or token that the request proved; empty for a device of a bench,
            which has no certificate.
        most: connections that the owner may have.
    """

    network: str
    since_s: float
    state: State = State.EARLY
    owner: str = ""
    most: int = MOST

    def has_tls(self) -> None:
        """Note that TLS is there; it proves nothing yet."""
        if self.state is State.EARLY:
            self.state = State.UNPROVEN

    def keep(self, now_s: float) -> None:
        """Keep it for a proxy, which asks nothing at the moment."""
        self.state, self.since_s, self.owner = State.KEPT, now_s, ""

    def ask(self, now_s: float) -> None:
        """Begin a request, which has proven nothing yet."""
        if self.state is not State.UNPROVEN:
            self.state, self.since_s, self.owner = State.UNPROVEN, now_s, ""

    def prove(self, owner: str, most: int, now_s: float) -> None:
        """Note whose the request is."""
        self.state, self.since_s, self.owner, self.most = State.PROVEN, now_s, owner, most


def giving_way(places: Sequence[Place], changed: Place, limits: ConnectionLimits) -> Place | None:
    """Return the place that ends because this one is new or has another state; None if none.

    Unproven ones give way first: the oldest of the network that has most, so that an attacker with
    few networks displaces only itself, however fast it is. Only if all are proven, the owner of
    most loses one.
    """
    if changed.state is State.PROVEN:
        own = [one for one in _proven(places) if one.owner == changed.owner != ""]
        return _oldest(own) if len(own) > changed.most else None
    early = [one for one in places if one.state is State.EARLY]
    unproven = [one for one in places if one.state is State.UNPROVEN] + early
    if len(early) > limits.most_early:
        return _of_largest(early, attrgetter("network"))
    if len(unproven) > limits.most // 2:
        return _of_largest(unproven, attrgetter("network"))
    if len(places) <= limits.most:
        return None
    others = [one for one in unproven if one is not changed]
    if others:
        return _of_largest(others, attrgetter("network"))
    proven = _proven(places)
    return _of_largest(proven, attrgetter("owner")) if proven else changed


def _proven(places: Sequence[Place]) -> list[Place]:
    return [one for one in places if one.state is State.PROVEN]


def _oldest(places: Sequence[Place]) -> Place:
    return min(places, key=lambda one: one.since_s)


def _of_largest(places: Sequence[Place], holder: Callable[[Place], str]) -> Place:
    """Return the oldest place of the holder that has most; of holders with as many, the oldest."""
    held = Counter(map(holder, places))
    return max(places, key=lambda one: (held[holder(one)], -one.since_s))
