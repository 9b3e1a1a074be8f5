"""A receiver in the simulated world."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from hardware.driver import PositionDriver
from hardware.position import Fix
from hardware.simulated.script import Reception
from hardware.simulated.world import ScriptedChange, World, speed_mps, state_at

EPOCH_NS: Final = 1_000_000_000
"""Time between two fixes: receivers tell one a second unless set otherwise."""


class SimulatedPosition:
    """A receiver that tells one fix a second.

    Whoever presses has been at that door for a while: the newest fix before a press is already of
    the press's place. A fix that the script takes away by second stays as the last one and ages;
    taken away by press it is gone, since at that door there never was one.
    """

    simulated: Final = True

    def __init__(self, world: World) -> None:
        self._world: Final = world

    def last_fix(self) -> Fix | None:
        """Return the newest fix, or None."""
        now_ns = time.monotonic_ns()
        changes = self._world.changes()
        if state_at(changes, now_ns).fix.has_fix:
            return self._fix(changes, self._epoch_ns(now_ns), self._world.last_press_ns)
        lost = _lost(changes, now_ns)
        if lost is None or lost.entry.press is not None or lost.at_ns <= self._world.began_ns:
            return None
        return self._fix(changes, self._epoch_ns(lost.at_ns - 1), None)

    def trouble(self) -> str | None:
        """Return an error while the script has the receiver unplugged; otherwise None."""
        if self._world.state(time.monotonic_ns()).fix is Reception.UNPLUGGED:
            return "the simulated receiver is unplugged: fix = unplugged in the world script"
        return None

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _epoch_ns(self, at_ns: int) -> int:
        return at_ns - (at_ns - self._world.began_ns) % EPOCH_NS

    def _fix(self, changes: list[ScriptedChange], epoch_ns: int, pressed_ns: int | None) -> Fix:
        at_ns = max(epoch_ns, pressed_ns or epoch_ns)
        state = state_at(changes, at_ns)
        age = timedelta(microseconds=(time.monotonic_ns() - epoch_ns) / 1000)
        three_d = state.fix is Reception.FIX_3D
        return Fix(
            lat_deg=state.lat_deg,
            lon_deg=state.lon_deg,
            alt_m=state.alt_m if three_d else None,
            eph_m=state.accuracy_m,
            hdop=state.hdop,
            satellites=state.satellites,
            mode=3 if three_d else 2,
            speed_mps=speed_mps(changes, at_ns),
            utc=datetime.now(UTC) - age if state.gnss_time else None,
            received_ns=epoch_ns,
        )


def _lost(changes: list[ScriptedChange], now_ns: int) -> ScriptedChange | None:
    """Return the change that took the fix away."""
    lost = None
    for change in changes:
        reception = change.entry.values.get("fix")
        if reception is not None and change.at_ns <= now_ns:
            lost = None if reception.has_fix else lost or change
    return lost


DRIVER: Final = PositionDriver(
    open=lambda _settings, world: SimulatedPosition(world()), device_files=None, method="GPS"
)
