"""The light: what it shows after a press, and while nothing is pressed."""

from collections.abc import Callable
from typing import Final

from agent.capture.battery import Charge
from agent.models import QueueCounts
from hardware.indicator import Indicator, Signal
from hardware.patterns import LOCATE_S, sounding_s

SHOWN_S: Final[dict[Signal, float]] = {
    Signal.HOLD_STILL: 5.0,
    Signal.EXPOSED: 5.0,
    Signal.SAVED: 1.0,
    Signal.HANDED_OVER: 1.0,
    Signal.ONCE_MORE: 5.0,
    Signal.NO_PHOTO: 3.0,
    Signal.CODE_ELSEWHERE: 5.0,
    Signal.READING: 10.0,
    Signal.LABEL_READ: 2.0,
    Signal.FAULT: 30.0,
    Signal.LOCATE: LOCATE_S,
}
"""Time for which a light stays before the idle light: long enough to be seen in the hand.

Green is short: the driver walks on. Red repeats until the driver has had time to call.
"""

MOTOR_STOPS_S: Final = 0.1
"""Time after a vibration in which its motor comes to rest: a small mass that runs on."""


def idle(
    *,
    ready: bool,
    bench: bool,
    external: bool,
    charge: Charge,
    counts: QueueCounts | None,
    shut_out: Callable[[], bool],
) -> Signal:
    """Return the idle signal.

    Args:
        ready: True if a press is served; in the cradle, True if all records are in the queue and
            others can be written.
        bench: True if bench mode is on.
        external: True with external power, which means that the device is in its cradle.
        charge: the charge of the battery.
        counts: the counts of the queue, used in the cradle; None if the queue cannot be read.
        shut_out: returns True if each waiting record was answered with 401 or 403; called only
            if that decides the light, because the queue reads all waiting rows for it.
    """
    if external:
        return _in_the_cradle(ready=ready, counts=counts, shut_out=shut_out)
    if charge is Charge.EMPTY:
        return Signal.FAULT  # no press is served, and it may not have been allowed to power off
    if not ready:
        return Signal.NOT_READY
    if charge is Charge.LOW:
        return Signal.BATTERY_LOW
    return Signal.BENCH if bench else Signal.READY


def _in_the_cradle(
    *, ready: bool, counts: QueueCounts | None, shut_out: Callable[[], bool]
) -> Signal:
    """Return the signal in the cradle.

    A queue that cannot be read is never "all sent", because records may wait in it.
    """
    if counts is None:
        return Signal.NOT_READY
    if not ready or counts.suspected or counts.refused or counts.damaged:
        return Signal.ASK_OFFICE
    if not counts.waiting:
        return Signal.ALL_SENT
    return Signal.ASK_OFFICE if shut_out() else Signal.SENDING


class Light:
    """The light: white from a touch on, then the result of the press, and later the idle light.

    Only `touched` may be called from another thread than the loop's.

    Attributes:
        quiet_from_ns: from when the device neither sounds nor vibrates: a frame would be sharp.
    """

    def __init__(self, indicator: Indicator, now_ns: Callable[[], int]) -> None:
        self._indicator = indicator
        self._now_ns = now_ns
        self._shown: Signal | None = None
        self._touched_ns: int | None = None
        self._idle_from_ns = self.quiet_from_ns = 0

    def touched(self, edge_ns: int) -> None:
        """Show "hold still" at the first edge of a possible press."""
        self._touched_ns = edge_ns
        self._indicator.show(Signal.HOLD_STILL)

    def restore(self, edge_ns: int) -> None:
        """Show the earlier light again if that touch was no press, unless it has changed since."""
        if edge_ns == self._touched_ns and self._shown is not None:
            self._indicator.show(self._shown, silent=True)

    def hold_still(self) -> None:
        """Show "hold still" for the press that is served now, and end the answer to the one before.

        The motor of that answer needs MOTOR_STOPS_S to come to rest.
        """
        self._indicator.show(Signal.HOLD_STILL)
        stops_ns = self._now_ns() + int(MOTOR_STOPS_S * 1e9)
        self.quiet_from_ns = min(self.quiet_from_ns, stops_ns)

    def exposed(self) -> None:
        """Show that the last frame is exposed, and the record is not yet durable."""
        self._indicator.show(Signal.EXPOSED)

    def show(self, signal: Signal, *, silent: bool = False) -> None:
        """Show what came of something, for as long as it takes to be seen.

        It is `silent` unless it answers a press: tone and vibration say that somebody was heard.
        """
        self._change(signal, silent=silent)
        self._idle_from_ns = self._now_ns() + int(SHOWN_S[signal] * 1e9)
        if not silent:
            quiet_after_s = sounding_s(signal) + MOTOR_STOPS_S
            self.quiet_from_ns = self._now_ns() + int(quiet_after_s * 1e9)

    def is_quiet(self, now_ns: int) -> bool:
        """Return True if the device neither sounds nor vibrates."""
        return now_ns >= self.quiet_from_ns

    def shows(self, signal: Signal) -> bool:
        """Return True if this signal came last, apart from a touch."""
        return self._shown is signal

    def is_seen(self, now_ns: int) -> bool:
        """Return True if the light was seen, and the idle light may come back."""
        return now_ns >= self._idle_from_ns

    def end(self, now_ns: int) -> None:
        """End the current light."""
        self._idle_from_ns = now_ns

    def idle(self, signal: Signal) -> None:
        """Show the idle light if it differs from the present light."""
        if signal is not self._shown:
            self._change(signal, silent=True)

    def _change(self, signal: Signal, *, silent: bool) -> None:
        self._indicator.show(signal, silent=silent)
        self._shown, self._touched_ns = signal, None
