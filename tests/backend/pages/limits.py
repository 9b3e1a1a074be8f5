"""How often somebody may try to sign in."""

import ipaddress
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=15)
"""How long a try counts: long for one who guesses, short for one who forgot."""

PER_PLACE: Final = 5
"""Tries of one account from one browser that it knows, or from one network address."""

PER_ADDRESS: Final = 50
"""Tries from one network address: ten accounts, since many customers share one."""

PER_NAME: Final = 50
"""Tries of one account by all browsers that it does not know: 4,800 a day.

A password of eight letters outlives that. Who would lock others out of a name needs ten addresses,
and shuts out no browser that has been signed in. Source: OWASP, device cookies.
"""

_LONGEST_NAME: Final = 100
"""Of a longer one the beginning counts: no account has such a name."""


@dataclass(frozen=True, slots=True)
class Try:
    """One try.

    Attributes:
        address: of the network.
        browser: what this browser was given at an earlier sign-in to this account; else empty.
    """

    name: str
    address: str
    browser: str

    def limits(self) -> dict[tuple[str, ...], int]:
        """What it counts towards, with how many there may be."""
        name, network = self.name[:_LONGEST_NAME], _network(self.address)
        if self.browser:
            return {("browser", self.browser): PER_PLACE}
        return {
            ("place", name, network): PER_PLACE,
            ("address", network): PER_ADDRESS,
            ("name", name): PER_NAME,
        }


class SignInLimit:
    """Counts tries before they are made, so that many at once count as well.

    A name that nobody has counts like any other, so that the limit tells nothing.
    """

    def __init__(self) -> None:
        self._tries: deque[tuple[datetime, Try]] = deque()
        self._counts: Counter[tuple[str, ...]] = Counter()

    def book(self, made: Try, now: datetime) -> bool:
        """Whether this try may be made; if so it is counted."""
        while self._tries and now - self._tries[0][0] >= WINDOW:
            self._forget(self._tries.popleft()[1])
        limits = made.limits()
        if any(self._counts[what] >= most for what, most in limits.items()):
            return False
        self._tries.append((now, made))
        self._counts.update(limits.keys())
        return True

    def succeeded(self, by: Try) -> None:
        """The account's own person was there: their tries from there count no more."""
        mine = [one for one in self._tries if one[1] == by]
        self._tries = deque(one for one in self._tries if one[1] != by)
        for _, made in mine:
            self._forget(made)

    def _forget(self, made: Try) -> None:
        for what in made.limits():
            self._counts[what] -= 1
            if not self._counts[what]:
                del self._counts[what]


def _network(address: str) -> str:
    """A household has a /64 of IPv6, in which it takes any address. Source: RFC 6177."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
