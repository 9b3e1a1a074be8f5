"""How often somebody may try to sign in."""

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=15)
"""How long a try counts: long for one who guesses, short for one who forgot."""

PER_NAME: Final = 5
"""Tries of one account within WINDOW: 480 a day, which a password of eight letters outlives."""

PER_ADDRESS: Final = 50
"""Tries from one network address within WINDOW: ten accounts, since many customers share one."""


@dataclass(frozen=True, slots=True)
class _Try:
    at: datetime
    name: str
    address: str


class SignInLimit:
    """Counts tries before they are made, so that many at once count as well.

    A name that nobody has counts like any other, so that the limit tells nothing.
    """

    def __init__(self) -> None:
        self._tries: deque[_Try] = deque()

    def book(self, name: str, address: str, now: datetime) -> bool:
        """Whether this try may be made; if so it is counted."""
        while self._tries and now - self._tries[0].at >= WINDOW:
            self._tries.popleft()
        names = Counter(one.name for one in self._tries)
        addresses = Counter(one.address for one in self._tries)
        if names[name] >= PER_NAME or addresses[address] >= PER_ADDRESS:
            return False
        self._tries.append(_Try(now, name, address))
        return True

    def succeeded(self, name: str) -> None:
        """The account's own person was there: its tries count no more."""
        self._tries = deque(one for one in self._tries if one.name != name)
