"""The simulated world as it is at any moment: the script, the presses so far, and the lamp."""

import itertools
import json
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hardware.foreign import read_json
from hardware.simulated.script import CameraFault, Entry, Script, WorldState

_log = logging.getLogger(__name__)

M_PER_DEG: Final = 111_195.0
"""Metres per degree of a great circle. Source: mean earth radius 6,371,008.8 m (IUGG)."""

_NOTHING: Final[Mapping[str, Any]] = {"boot_id": None}

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ScriptedChange:
    """An entry and the CLOCK_MONOTONIC moment from which it holds."""

    at_ns: int
    entry: Entry


class World:
    """A world that the simulated parts share; every method may be called from any thread.

    All times are CLOCK_MONOTONIC in ns. Presses and the world's beginning are kept in
    `run_dir/world.json`, so that the world continues when the process is killed and started again.
    It begins again after a reboot, or when that file is removed. Without `run_dir` nothing is kept.
    """

    def __init__(self, script: Path | None, run_dir: Path | None) -> None:
        """Read the script; raises ScriptError if it is wrong."""
        self._script: Final = Script(script) if script else None
        self._file: Final = run_dir / "world.json" if run_dir else None
        self._lock: Final = threading.Lock()
        self._lamp: Final[deque[tuple[int, bool]]] = deque(maxlen=32)
        self._boottime_ahead_ns: Final = (
            time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
        )
        self._boot_id: Final = _BOOT_ID.read_text(encoding="ascii").strip()
        self.began_ns, self._presses_ns = self._resume()

    @property
    def presses(self) -> int:
        """Number of presses of the photo button since the world began."""
        return len(self._presses_ns)

    @property
    def last_press_ns(self) -> int | None:
        """The edge of the newest press."""
        return self._presses_ns[-1] if self._presses_ns else None

    def press(self, edge_ns: int) -> None:
        """Count a press of the photo button at its edge."""
        with self._lock:
            self._presses_ns = [*self._presses_ns, edge_ns]
            self._keep()

    def state(self, at_ns: int) -> WorldState:
        """Return the state at a moment; a future one as if no press came until then."""
        return state_at(self.changes(self._presses_ns), at_ns)

    def state_after_next_press(self, at_ns: int) -> WorldState:
        """Return the state that the next press would bring if it came at a moment."""
        return state_at(self.changes([*self._presses_ns, at_ns]), at_ns)

    def changes(self, presses_ns: Sequence[int] | None = None) -> list[ScriptedChange]:
        """Return the script's entries whose moment is known, the earliest first."""
        known = self._presses_ns if presses_ns is None else presses_ns
        found = []
        for entry in self._script.entries() if self._script else ():
            if entry.second is not None:
                found.append(ScriptedChange(self.began_ns + round(entry.second * 1e9), entry))
            elif entry.press is not None and entry.press <= len(known):
                found.append(ScriptedChange(known[entry.press - 1], entry))
        return sorted(found, key=lambda change: change.at_ns)

    def first_fault(self, from_ns: int, until_ns: int) -> tuple[int, CameraFault] | None:
        """Return the camera's first fault and its start, `from_ns` if it began earlier; or None."""
        moments = [change.at_ns for change in self.changes() if from_ns < change.at_ns <= until_ns]
        for moment_ns in [from_ns, *moments]:
            fault = self.state(moment_ns).camera
            if fault is not CameraFault.NONE:
                return moment_ns, fault
        return None

    def light_lamp(self, lit: bool, at_ns: int) -> None:
        """Turn the lamp on or off."""
        self._lamp.append((at_ns, lit))

    def lamp_lit(self, at_ns: int) -> bool:
        """Return True if the lamp was on at a moment."""
        lit = [lit for changed_ns, lit in self._lamp.copy() if changed_ns <= at_ns]
        return bool(lit) and lit[-1]

    def _resume(self) -> tuple[int, list[int]]:
        try:
            kept = read_json(self._file.read_bytes()) if self._file else _NOTHING
            if kept["boot_id"] == self._boot_id:
                moments = [moment - self._boottime_ahead_ns for moment in kept["presses_ns"]]
                return kept["began_ns"] - self._boottime_ahead_ns, moments
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            _log.warning("event=world_anew reason=unreadable file=%s", self._file)
        self.began_ns, self._presses_ns = time.monotonic_ns(), []
        self._keep()
        return self.began_ns, self._presses_ns

    def _keep(self) -> None:
        """Write the world's place in CLOCK_BOOTTIME; not flushed, since a power cut ends it."""
        if self._file is None:
            return
        kept = {
            "boot_id": self._boot_id,
            "began_ns": self.began_ns + self._boottime_ahead_ns,
            "presses_ns": [moment + self._boottime_ahead_ns for moment in self._presses_ns],
        }
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(kept), encoding="ascii")
        part.replace(self._file)


def state_at(changes: Sequence[ScriptedChange], at_ns: int) -> WorldState:
    """Return what the changes, the earliest first, have made of the plain world at a moment.

    Between two places set by seconds the position is on the straight line between them, in
    degrees, the short way round the date line; a place set by a press holds.
    """
    values: dict[str, Any] = {}
    for change in changes:
        if change.at_ns <= at_ns:
            values.update(change.entry.values)
    leg = _leg(changes, at_ns)
    if leg is not None:
        values.update(_between(leg[0], leg[1], at_ns))
    return replace(WorldState(), **values)


def speed_mps(changes: Sequence[ScriptedChange], at_ns: int) -> float:
    """Return the speed over ground: that of the leg between two seconds, else 0."""
    leg = _leg(changes, at_ns)
    if leg is None:
        return 0.0
    here, there = leg
    north_deg = there.entry.values["lat_deg"] - here.entry.values["lat_deg"]
    east_deg = _short_way(here, there) * math.cos(math.radians(here.entry.values["lat_deg"]))
    return math.hypot(north_deg, east_deg) * M_PER_DEG / ((there.at_ns - here.at_ns) / 1e9)


def _leg(
    changes: Sequence[ScriptedChange], at_ns: int
) -> tuple[ScriptedChange, ScriptedChange] | None:
    """Return the two places, both set by second, between which a moment lies."""
    places = [change for change in changes if change.entry.moves]
    for here, there in itertools.pairwise(places):
        by_second = here.entry.press is None and there.entry.press is None
        if by_second and here.at_ns <= at_ns < there.at_ns:
            return here, there
    return None


def _between(here: ScriptedChange, there: ScriptedChange, at_ns: int) -> dict[str, float]:
    share = (at_ns - here.at_ns) / (there.at_ns - here.at_ns)
    start, end = here.entry.values, there.entry.values
    lon_deg = start["lon_deg"] + share * _short_way(here, there)
    place = {
        "lat_deg": start["lat_deg"] + share * (end["lat_deg"] - start["lat_deg"]),
        "lon_deg": (lon_deg + 180) % 360 - 180,
    }
    if "alt_m" in start and "alt_m" in end:
        place["alt_m"] = start["alt_m"] + share * (end["alt_m"] - start["alt_m"])
    return place


def _short_way(here: ScriptedChange, there: ScriptedChange) -> float:
    east_deg: float = there.entry.values["lon_deg"] - here.entry.values["lon_deg"]
    return (east_deg + 180) % 360 - 180
