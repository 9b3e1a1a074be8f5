"""The contract of every lamp, on a simulated one, on gpiozero's pins, and on a kernel's."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hardware.drivers.lamp_gpio import GpioLamp
from hardware.indicator import Lamp
from hardware.settings import LampSettings
from hardware.simulated.lamp import SimulatedLamp
from hardware.simulated.world import World
from tests.support import kernel_pins
from tests.support.pins import pin_factory


@dataclass(frozen=True, slots=True)
class Bench:
    """A lamp, whether light comes from it, and how the same one is opened again."""

    lamp: Lamp
    is_lit: Callable[[], bool]
    again: Callable[[], Lamp]


def simulated(folder: Path) -> Bench:
    world = World(None, folder)
    return Bench(
        SimulatedLamp(world),
        lambda: world.lamp_lit(time.monotonic_ns()),
        lambda: SimulatedLamp(world),
    )


def gpio(_: Path) -> Bench:
    pins, settings = pin_factory(), LampSettings("gpio")
    return Bench(
        GpioLamp(settings, pins),
        lambda: bool(pins.pin(settings.pin).state),
        lambda: GpioLamp(settings, pins),
    )


def kernel(_: Path) -> Bench:
    """The lamp driver on lgpio and the lines of a kernel."""
    settings = LampSettings("gpio")
    kernel_pins.level(settings.pin)
    return Bench(
        GpioLamp(settings), lambda: kernel_pins.level(settings.pin), lambda: GpioLamp(settings)
    )


LAMPS = [simulated, gpio, pytest.param(kernel, marks=pytest.mark.device)]


@pytest.fixture(params=LAMPS, ids=lambda opener: opener.__name__)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    opener: Callable[[Path], Bench] = request.param
    return opener(tmp_path)


def test_a_lamp_is_a_switch_and_no_counter(bench: Bench) -> None:
    """The lamp is dark at first; press and scan may both light it, and one `off` is enough."""
    assert not bench.is_lit()

    for _ in range(2):
        bench.lamp.on()
        bench.lamp.on()
        assert bench.is_lit()
        bench.lamp.off()
        bench.lamp.off()
        assert not bench.is_lit()


def test_a_closed_lamp_can_be_opened_again(bench: Bench) -> None:
    """Its line was released."""
    bench.lamp.close()

    again = bench.again()
    again.on()

    assert bench.is_lit()
    again.close()


def test_close_puts_it_out(bench: Bench) -> None:
    """A lamp that is left on drains the battery overnight."""
    bench.lamp.on()

    bench.lamp.close()
    bench.lamp.close()

    assert not bench.is_lit()
