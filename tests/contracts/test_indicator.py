"""The contract of every indicator, on the simulated one and on gpiozero's simulated pins."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from hardware.drivers.indicator_gpio import GpioIndicator
from hardware.indicator import Colour, Indicator, Signal
from hardware.patterns import DARK, PATTERNS, WHITE
from hardware.settings import IndicatorSettings
from hardware.simulated.indicator import SimulatedIndicator
from tests.support.pins import pin_factory

SEEN_S = 2.0
MOTOR_PIN = 16


@dataclass(frozen=True, slots=True)
class Bench:
    """An indicator, the light that an eye before it sees, and whether it moves or sounds."""

    indicator: Indicator
    light: Callable[[], Colour]
    is_silent: Callable[[], bool]

    def shows(self, colour: Colour, within_s: float = SEEN_S) -> bool:
        """Look until it does; a driver's thread may play the patterns."""
        end_s = time.monotonic() + within_s
        while self.light() != colour and time.monotonic() < end_s:
            time.sleep(0.001)
        return self.light() == colour


def simulated() -> Bench:
    indicator = SimulatedIndicator()
    return Bench(indicator, lambda: indicator.light, lambda: True)


def gpio() -> Bench:
    pins, settings = pin_factory(), IndicatorSettings("gpio", vibration_pin=MOTOR_PIN)
    led = (settings.red_pin, settings.green_pin, settings.blue_pin)

    def levels(*numbers: int) -> list[float]:
        return [float(pins.pin(number).state) for number in numbers]

    return Bench(
        GpioIndicator(settings, pins),
        lambda: Colour(*levels(*led)),
        lambda: not any(levels(settings.buzzer_pin, MOTOR_PIN)),
    )


@pytest.fixture(params=[simulated, gpio], ids=lambda opener: opener.__name__)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    opener: Callable[[], Bench] = request.param
    opened = opener()
    yield opened
    opened.indicator.close()
    opened.indicator.close()


def first_light(signal: Signal) -> Colour:
    """Return the colour of the first flash; a rhythm begins dark."""
    steps = (*PATTERNS[signal].once, *PATTERNS[signal].again)
    return next((step.colour for step in steps if step.colour != DARK), DARK)


@pytest.mark.parametrize("signal", Signal)
def test_every_signal_begins_with_its_light(bench: Bench, signal: Signal) -> None:
    """White before, which no other signal but two begins with."""
    assert bench.shows(DARK)
    bench.indicator.show(Signal.HOLD_STILL)
    assert bench.shows(WHITE)

    bench.indicator.show(signal)

    assert bench.shows(first_light(signal))


def test_a_signal_takes_the_place_of_the_one_before_at_once(bench: Bench) -> None:
    """Also in the middle of a long tone: a press is answered within the 100 ms that feel prompt."""
    bench.indicator.show(Signal.FAULT)
    assert bench.shows(first_light(Signal.FAULT))

    began_s = time.monotonic()
    bench.indicator.show(Signal.HOLD_STILL)

    assert time.monotonic() - began_s < 0.05
    assert bench.shows(WHITE, within_s=0.1)
    assert bench.is_silent()


def test_a_silent_signal_has_only_its_light(bench: Bench) -> None:
    """Nobody must think that it answers a press."""
    bench.indicator.show(Signal.FAULT, silent=True)
    assert bench.shows(first_light(Signal.FAULT))

    assert bench.is_silent()


def test_signal_shown_once_ends_by_itself(bench: Bench) -> None:
    """Nobody has to put the light of a saved photo out."""
    bench.indicator.show(Signal.SAVED)
    assert bench.shows(first_light(Signal.SAVED))

    assert bench.shows(DARK)


def test_any_thread_may_show(bench: Bench) -> None:
    """The buttons' thread lights the first touch while the loop still shows the last result."""
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(bench.indicator.show, list(Signal) * 4))

    bench.indicator.show(Signal.HOLD_STILL)

    assert bench.shows(WHITE)


def test_close_leaves_it_dark_and_silent(bench: Bench) -> None:
    """In the middle of a signal, and whatever is shown after it."""
    bench.indicator.show(Signal.FAULT)
    assert bench.shows(first_light(Signal.FAULT))

    bench.indicator.close()
    assert bench.light() == DARK
    assert bench.is_silent()
    bench.indicator.show(Signal.FAULT)

    assert not bench.shows(first_light(Signal.FAULT), within_s=0.1)
