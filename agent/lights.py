"""Which signal a device shows while nobody presses; pure."""

from typing import Final

from agent.outbox import Counts
from hardware.indicator import Signal
from hardware.power import PowerReading

LOW_BELOW_PCT: Final = 15
"""Battery below which the idle light is red. Source: design section 9."""

SHOWN_S: Final[dict[Signal, float]] = {
    Signal.HOLD_STILL: 5.0,
    Signal.EXPOSED: 5.0,
    Signal.SAVED: 1.0,
    Signal.ONCE_MORE: 5.0,
    Signal.NO_PHOTO: 3.0,
    Signal.READING: 10.0,
    Signal.LABEL_READ: 2.0,
    Signal.FAULT: 30.0,
}
"""How long what a press showed stays before the idle light: long enough to be seen in the hand.

Green 1 s is design section 9; red is steady until the driver has had time to call.
"""


def idle(*, ready: bool, bench: bool, power: PowerReading, counts: Counts | None) -> Signal:
    """The idle signal; `counts` is None where the queue cannot be read."""
    if power.external and counts is not None:
        if not ready or counts.suspected or counts.refused or counts.damaged:
            return Signal.ASK_OFFICE
        return Signal.SENDING if counts.waiting else Signal.ALL_SENT
    if not ready:
        return Signal.NOT_READY
    if power.battery_pct is not None and power.battery_pct < LOW_BELOW_PCT and not power.external:
        return Signal.BATTERY_LOW
    return Signal.BENCH if bench else Signal.READY
