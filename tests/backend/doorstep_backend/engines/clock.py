"""The difference between this machine's clock and the database's, which dates shared rows."""

from datetime import datetime
from typing import Final

from doorstep_backend.engines.unavailable import Unavailable

APART_S: Final = 1.0
"""Most that two clocks may differ, in seconds. NTP keeps a machine within some milliseconds; what
is one second early or late matters to no retention, session or limit."""

_WRONG: Final = (
    "the clock of this machine is {:.1f} s {} that of the database: nobody is served and nothing "
    "is erased until both agree within {:g} s; ask `chronyc tracking` on both machines which one "
    "is wrong"
)


class WrongClock(Unavailable):
    """A clock of this machine that is not the database's; one is wrong. Says by how much."""


def apart_s(database: datetime, own: datetime, took_s: float) -> float:
    """Return how many seconds the own clock is certainly ahead; negative for behind. Pure.

    Args:
        database: what the database's clock told.
        own: what the own clock told while the answer was waited for, or right after.
        took_s: how long the answer took, which explains a difference of as much.
    """
    apart = (own - database).total_seconds()
    return max(apart - took_s, 0.0) if apart > 0 else min(apart + took_s, 0.0)


def check_own(database: datetime, own: datetime, took_s: float) -> None:
    """Raise WrongClock where the own clock differs by more than APART_S for certain."""
    apart = apart_s(database, own, took_s)
    if abs(apart) > APART_S:
        side = "ahead of" if apart > 0 else "behind"
        raise WrongClock(_WRONG.format(abs(apart), side, APART_S))
