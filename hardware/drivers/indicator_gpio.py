"""The indicator on GPIO pins: an RGB LED, a passive sounder, and a vibration motor where fitted.

Not run on hardware; tested on gpiozero's simulated pins.
"""

import time
from contextlib import ExitStack
from math import asin, inf, pi
from threading import Condition, Thread
from typing import Any, Final

from gpiozero import (  # noqa: TID251 - the driver of the indicator
    RGBLED,
    DigitalOutputDevice,
    Factory,
    PWMOutputDevice,
)

from hardware.driver import Driver
from hardware.indicator import Signal
from hardware.patterns import DARK, PATTERNS, Step, begins_s, step_at
from hardware.pins_gpio import claiming, device_files, open_pins
from hardware.settings import Feedback, IndicatorSettings

SILENT_HZ: Final = 50.0
"""PWM frequency of the silent sounder.

lgpio wakes in each period of PWM, also at a duty cycle of 0, and at least 50 times a second. PWM is
not ended, because lgpio then stops all other PWM for 20 ms, and its thread may spin for ever.
Source: lg 0.2.2, lgPthTx.c.
"""

CLOSE_S: Final = 1.0
"""Longest wait for the player to end; a step is written in under a millisecond."""


class GpioIndicator:
    """The indicator as `hardware.indicator.Indicator`; `factory` None opens lgpio.

    One thread plays the patterns.
    A signal that only repeats does not begin again when it is shown again.
    """

    def __init__(self, settings: IndicatorSettings, factory: Factory | None = None) -> None:
        with claiming("indicator"):
            self._parts: Final = _Parts(settings, factory if factory is not None else open_pins())
        self._changed: Final = Condition()
        self._signal, self._silent = Signal.EXPOSED, True
        self._since_s = time.monotonic()
        self._closed = False
        self._player: Final = Thread(target=self._play, name="indicator", daemon=True)
        self._player.start()

    def show(self, signal: Signal, *, silent: bool = False) -> None:
        """Show `signal` from now on, in place of the one before; returns at once."""
        with self._changed:
            if signal is not self._signal or PATTERNS[signal].once:
                self._silent = silent
                self._since_s = begins_s(time.monotonic(), self._signal, self._since_s)
                self._signal = signal
                self._changed.notify()

    def close(self) -> None:
        """Turn dark and silent; safe to call twice."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._player.join(CLOSE_S)

    def _play(self) -> None:
        with self._changed, self._parts:
            while not self._closed:
                pattern = PATTERNS[self._signal]
                step, left_s = step_at(pattern, time.monotonic() - self._since_s)
                self._parts.give(Step(step.colour, step.seconds) if self._silent else step)
                self._changed.wait(None if left_s == inf else left_s)


class _Parts(ExitStack):
    """The LED, the sounder and the motor; leaving it turns them off and releases their pins."""

    def __init__(self, settings: IndicatorSettings, factory: Factory) -> None:
        super().__init__()
        self._duty: Final = duty(settings.volume_pct)
        self._senses: Final = settings.senses
        with ExitStack() as opened:
            self._led: Any = opened.enter_context(
                RGBLED(
                    settings.red_pin,
                    settings.green_pin,
                    settings.blue_pin,
                    active_high=not settings.common_anode,
                    pin_factory=factory,
                )
            )
            self._sounder: Any = opened.enter_context(
                PWMOutputDevice(settings.buzzer_pin, frequency=SILENT_HZ, pin_factory=factory)
            )
            self._motor: Any = None
            if settings.vibration_pin is not None:
                self._motor = opened.enter_context(
                    DigitalOutputDevice(settings.vibration_pin, pin_factory=factory)
                )
            self.push(opened.pop_all())
        self.callback(self.give, Step(DARK, inf))

    def give(self, step: Step) -> None:
        """Give what the configured senses get of a step."""
        light = step.colour if Feedback.LIGHT in self._senses else DARK
        self._led.value = (light.red, light.green, light.blue)
        if step.tone_hz is None or Feedback.SOUND not in self._senses:
            self._sounder.value = 0
            self._sounder.frequency = SILENT_HZ
        else:
            self._sounder.frequency = step.tone_hz
            self._sounder.value = self._duty
        if self._motor is not None:
            self._motor.value = step.vibrate and Feedback.VIBRATION in self._senses


def duty(volume_pct: int) -> float:
    """Return the duty cycle, 0 to 0.5, at which a square wave has `volume_pct` of its loudest tone.

    Source: Fourier series of a rectangular wave: its fundamental's amplitude is 2/pi sin(pi duty).
    """
    return asin(volume_pct / 100) / pi


DRIVER: Final = Driver(
    open=lambda settings, _world: GpioIndicator(settings), device_files=device_files
)
