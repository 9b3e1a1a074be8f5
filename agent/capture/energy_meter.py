"""Measures the energy of a shift, and keeps it for the next process of this boot."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from agent.capture import energy
from agent.capture.energy import Energy, PublicFigures, Shift
from agent.errors import StorageFault
from agent.queue.disk import read_plain
from agent.queue.paths import Layout
from agent.status.kept import replace_whole
from hardware.change_detector import ChangeDetector
from hardware.clock_system import boot_id
from hardware.foreign import read_json
from hardware.power import MOST_UW, PowerReading
from hardware.settings import PowerSettings

_log = logging.getLogger(__name__)

KEPT_EVERY_NS: Final = 60_000_000_000
"""Interval at which the energy is kept; the file is in memory."""

_LIMIT_BYTES: Final = 4_096
"""The file has some 400."""

_MODE: Final = 0o600
"""Mode: only capture needs the exact figures."""

_MOST: Final = 2**53
"""Largest number that a float has exactly. Source: IEEE 754 binary64."""

_MOST_W: Final = 1.01 * MOST_UW / 1e6
"""Largest mean power, with room for rounding: a sum without a time would have an infinite one."""

_KEPT: Final = ("mean_w", "hour", "at_ns", "level_pct")
"""Members of Energy that are kept beside the shift and the published figures."""


class EnergyMeter:
    """The energy by the readings so far.

    A killed process loses a minute of a shift. After a reboot the shift begins again, because
    `run/` is in memory.

    Attributes:
        energy: the result of the readings; for any thread.
    """

    def __init__(self, layout: Layout, settings: PowerSettings, now_ns: int) -> None:
        self._file = layout.energy_file
        self._settings = settings
        self._keep_from_ns = now_ns + KEPT_EVERY_NS
        self._motion_well_ns = now_ns
        self._motion_trouble: str | None = None
        self._trouble: ChangeDetector[str | None] = ChangeDetector(None)
        self.energy = _read(self._file, now_ns) or Energy()

    def take(self, power: PowerReading, motion_trouble: str | None, now_ns: int) -> Energy:
        """Take the next reading and the accelerometer's fault, if any; return what they come to."""
        self.energy = self.energy.after(power, now_ns)
        self._judge_motion(motion_trouble, now_ns)
        measuring = energy.troubles(self.energy, self._settings)
        if self._trouble.changed("; ".join(measuring) or None):
            _log.warning("event=energy_trouble trouble=%r", self._trouble.last)
        if now_ns >= self._keep_from_ns:
            self._keep_from_ns = now_ns + KEPT_EVERY_NS
            self.keep()
        return self.energy

    def is_gauge_silent(self) -> bool:
        """Return True if a gauge is built in, and does not answer."""
        return energy.is_gauge_silent(self.energy, self._settings)

    def troubles(self) -> Iterator[str]:
        """Yield what is wrong with the parts that measure or save energy."""
        yield from energy.troubles(self.energy, self._settings)
        if self._motion_trouble is not None:
            yield self._motion_trouble

    def keep(self) -> None:
        """Replace the file; if that fails, `status_not_kept` says so, and nothing else is lost."""
        now = self.energy
        kept = {
            "boot_id": boot_id(),
            "shift": asdict(now.shift),
            "figures": asdict(now.figures),
            **{name: getattr(now, name) for name in _KEPT},
        }
        with suppress(StorageFault):
            replace_whole(self._file, json.dumps(kept).encode(), _MODE)

    def _judge_motion(self, trouble: str | None, now_ns: int) -> None:
        """Believe a fault that lasts: a loose wire's would come and go with the hand.

        It is not logged, because the end of such a fault would tell of a lift.
        """
        if trouble is None:
            self._motion_well_ns = now_ns
        is_long = now_ns - self._motion_well_ns >= energy.SILENT_AFTER_S * 1e9
        self._motion_trouble = trouble if is_long else None


def parsed(text: bytes, this_boot: str, now_ns: int) -> Energy | None:
    """Return the energy that was kept in this boot; None for anything else."""
    try:
        kept = read_json(text)
        if kept["boot_id"] != this_boot or not _is_possible(kept, now_ns):
            return None
        shift, figures = Shift(**kept["shift"]), PublicFigures(**kept["figures"])
        return Energy(shift, figures, **{name: kept[name] for name in _KEPT})
    except (ValueError, KeyError, TypeError):
        return None


def _is_possible(kept: Mapping[str, Any], now_ns: int) -> bool:
    """Return True if all values are of the right kind; the shift and its time have no nulls."""
    shift, figures = kept["shift"], kept["figures"]
    numbers = [shift[name] for name in ("battery_s", "measured_s", "used_j")]
    numbers += _known(figures["mean_w"], kept["mean_w"])
    whole = [shift["fallen_pct"], kept["hour"]]
    whole += _known(figures["used_wh"], figures["hours_left"], kept["level_pct"])
    return (
        all(type(one) in {int, float} and 0 <= one <= _MOST for one in numbers)
        and all(type(one) is int and abs(one) <= _MOST for one in whole)
        and type(kept["at_ns"]) is int
        and 0 <= kept["at_ns"] <= now_ns
        and isinstance(shift["is_over"], bool)
        and shift["used_j"] <= _MOST_W * shift["measured_s"] <= _MOST_W * shift["battery_s"]
    )


def _known(*values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _read(file: Path, now_ns: int) -> Energy | None:
    try:
        return parsed(read_plain(file, _LIMIT_BYTES) or b"", boot_id(), now_ns)
    except OSError:
        return None
