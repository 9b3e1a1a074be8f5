"""The two buttons on GPIO pins: the kernel's edges, debounced here and not in the driver.

gpiozero's own `bounce_time` is not used: under lgpio it holds the edge back until the level was
stable and stamps it late. lgpio 0.2 asks the kernel for edges without the flag for wall-clock time
(GPIO uAPI v2), so they are stamped with CLOCK_MONOTONIC; gpiozero hands that on in seconds.
Not run on hardware; tested on gpiozero's simulated pins.
"""

import logging
import time
from collections.abc import Callable
from functools import cache
from threading import Condition, Thread
from typing import Any, Final

from gpiozero import Factory, InputDevice  # noqa: TID251 - the driver of the buttons

from hardware.button import ButtonEvent, ButtonName
from hardware.debounce import DebouncedPair
from hardware.driver import Driver
from hardware.pins_gpio import claiming, device_files, open_pins, releasing
from hardware.settings import ButtonSettings

log = logging.getLogger(__name__)

DELIVERY_S: Final = 0.005
"""Largest delay of an edge. Source: 5 ms from edge to callback, measured in QEMU, 2026-11."""

PLAUSIBLE_NS: Final = 2_000_000_000
"""An edge stamped further from now than this was stamped by another clock.

The wall clock, which stamped them before Linux 5.7, is years away; no callback comes 2 s late.
"""


class GpioButtons:
    """Both buttons, to ground, as `hardware.button.Buttons`; `factory` None opens lgpio."""

    press: Final = None

    def __init__(self, settings: ButtonSettings, factory: Factory | None = None) -> None:
        self._changed: Final = Condition()
        self._closed = False
        self._on_event: Callable[[ButtonEvent], None] | None = None
        self._timer: Thread | None = None
        self._pair: Final = DebouncedPair()
        self._lines: Final = [
            _Line(ButtonName.PHOTO, settings.photo_pin, factory, self._edge),
            _Line(ButtonName.SCAN, settings.scan_pin, factory, self._edge),
        ]

    def listen(self, on_event: Callable[[ButtonEvent], None]) -> None:
        """Call `on_event` for every change: TOUCHED in lgpio's thread, most others in a timer's."""
        self._on_event = on_event
        self._timer = Thread(target=self._settle, name="buttons", daemon=True)
        self._timer.start()
        for line in self._lines:
            line.watch()

    def close(self) -> None:
        """Release the lines; safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        for line in self._lines:
            line.close()

    def _edge(self, button: ButtonName, time_ns: int, pressed: bool) -> None:
        with self._changed:
            self._hand_on(self._pair.edge(button, time_ns, pressed))
            self._changed.notify()

    def _settle(self) -> None:
        with self._changed:
            while not self._closed:
                self._hand_on(self._pair.settle(_settled_ns()))
                due_ns = self._pair.due_ns
                self._changed.wait(None if due_ns is None else (due_ns - _settled_ns()) / 1e9)

    def _hand_on(self, events: list[ButtonEvent]) -> None:
        """Hand `events` on; under the lock, so that two threads keep their order."""
        if self._on_event is not None and not self._closed:
            for event in events:
                self._on_event(event)


class _Line:
    """The pin of a button; gpiozero refers to `_pin_changed` weakly, so this must be kept."""

    def __init__(
        self,
        button: ButtonName,
        pin: int,
        factory: Factory | None,
        edge: Callable[[ButtonName, int, bool], None],
    ) -> None:
        self._button: Final = button
        self._edge: Final = edge
        with claiming(f"buttons.{button}_pin = {pin}"):
            self._device: Final = InputDevice(
                pin, pull_up=True, pin_factory=factory if factory is not None else open_pins()
            )

    def watch(self) -> None:
        self._device.pin.bounce = None
        self._device.pin.edges = "both"
        self._device.pin.when_changed = self._pin_changed

    def close(self) -> None:
        with releasing():
            self._device.close()

    def _pin_changed(self, ticks: float, state: Any) -> None:
        self._edge(self._button, kernel_ns(ticks, time.monotonic_ns()), not state)


def kernel_ns(ticks: float, now_ns: int) -> int:
    """Return an edge's CLOCK_MONOTONIC in ns from gpiozero's seconds.

    A stamp by another clock is replaced by `now_ns`, and said once.
    """
    edge_ns = round(ticks * 1e9)
    if abs(now_ns - edge_ns) < PLAUSIBLE_NS:
        return edge_ns
    _say_unknown_clock()
    return now_ns


@cache
def _say_unknown_clock() -> None:
    log.warning("event=edge_clock_unknown meaning=presses_dated_on_arrival")


def _settled_ns() -> int:
    """Return the time up to which every edge has arrived."""
    return time.monotonic_ns() - round(DELIVERY_S * 1e9)


DRIVER: Final = Driver(
    open=lambda settings, _world: GpioButtons(settings), device_files=device_files
)
