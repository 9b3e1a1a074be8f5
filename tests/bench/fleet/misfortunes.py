"""Faults of the servers while devices send."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Final

from tests.bench.fleet.servers import Servers

AWAY_S: Final = 5.0
"""Time that a killed instance is down in the demo: the supervisor has noticed by then."""

STALL_S: Final = 7.0
"""Over twice the longest request to S3 (1 s to connect, 2 to read), and a device's wait for 503."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class MisfortuneContext:
    """Inputs of a misfortune: the servers, the function that prints, and the end."""

    servers: Servers
    say: Say
    ended: threading.Event


Misfortune = Callable[[MisfortuneContext], None]
"""Runs beside the devices, and returns when it is over or at the end."""


def none(_told: MisfortuneContext) -> None:
    """Nothing happens."""


def morning(told: MisfortuneContext, stall_s: float, kill_s: float) -> None:
    """S3 answers nothing for a while; then an instance is killed, and started again."""
    engines, one = told.servers.engines, told.servers.intakes[0]
    assert engines is not None
    if told.ended.wait(stall_s):
        return
    engines.s3.pause()
    told.say(f"S3 answers nothing for {STALL_S:.0f} s (SIGSTOP)")
    told.ended.wait(STALL_S)
    engines.s3.go_on()
    told.say("S3 answers again")
    if told.ended.wait(max(kill_s - stall_s - STALL_S, 0.0)):
        return
    one.kill()
    told.say(f"{one.name} is killed (kill -9)")
    told.ended.wait(AWAY_S)
    one.start()
    told.say(f"{one.name} is back")


def kills(told: MisfortuneContext, every_s: float, lasts_s: float) -> None:
    """An instance that devices use after the other; each is started again at once."""
    turns = cycle(told.servers.intakes)
    for number in range(int(lasts_s / every_s)):
        if told.ended.wait(every_s):
            return
        one = next(turns)
        one.kill()
        told.say(f"kill {number + 1}: {one.name}")
        one.start()
