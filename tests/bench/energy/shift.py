"""The energy of a shift, how long a pack lasts, and how long it must charge."""

from dataclasses import dataclass
from typing import Final

from tests.bench.energy.boards import Board
from tests.bench.energy.loads import LOADS, Load
from tests.bench.energy.pack import CHARGER_A, CHARGER_V, CHARGES_W, EFFICIENCY, Pack
from tests.bench.energy.span import Span, total

SHIFT_H: Final = 9.0
"""Hours of a driver's shift. Assumed: eight, and a break."""

PRESSES: Final = 150
"""Presses of a shift. Source: the rounds of tests/bench/policy."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift of one board.

    Attributes:
        streaming_h: hours in which the camera streams.
        loads: what else takes power.
    """

    board: Board
    streaming_h: Span
    loads: tuple[Load, ...] = LOADS

    @property
    def loads_w(self) -> Span:
        """The mean power of the loads."""
        return total(
            one.always_w + one.press_j.times(PRESSES / SHIFT_H / 3600) for one in self.loads
        )

    @property
    def waits_wh(self) -> Span:
        """The energy without a second of streaming."""
        return (self.board.waits_w + self.loads_w).times(SHIFT_H)

    @property
    def energy_wh(self) -> Span:
        """The energy in the 5 V lead of the board."""
        return self.waits_wh + self.board.streaming.adds_w.by(self.streaming_h)

    @property
    def mean_w(self) -> Span:
        """The mean power of the shift."""
        return self.energy_wh.times(1 / SHIFT_H)

    def lasts_h(self, pack: Pack) -> Span:
        """Return for how long a pack lasts: low with the high estimate of the power."""
        return Span(pack.usable_wh / self.mean_w.high, pack.usable_wh / self.mean_w.low)

    @property
    def charges_h(self) -> Span:
        """Time in which the pack charges after the shift at the charger's full current."""
        return self.energy_wh.times(1 / EFFICIENCY.low / CHARGES_W)

    def cradle_h(self, pack: Pack) -> Span:
        """Return for how long the cradle must charge during a shift, for the pack to last."""
        return Span(_cradle_h(self.energy_wh.low, pack), _cradle_h(self.energy_wh.high, pack))


def _cradle_h(energy_wh: float, pack: Pack) -> float:
    """Return it for one estimate; in the cradle, the supply runs the device too."""
    mean_w = energy_wh / SHIFT_H
    spare_w = CHARGER_V * CHARGER_A - mean_w / EFFICIENCY.low
    charges_w = min(CHARGES_W, spare_w * CHARGES_W / CHARGER_V) * EFFICIENCY.low
    return max(0.0, energy_wh - pack.usable_wh) / (mean_w + charges_w)
