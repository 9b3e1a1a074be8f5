"""The contract of both buttons, on simulated ones, on gpiozero's pins, and on a kernel's."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

from hardware.button import ButtonChange, ButtonEvent, ButtonName, Buttons
from hardware.drivers.buttons_gpio import GpioButtons
from hardware.settings import ButtonSettings
from hardware.simulated.buttons import SimulatedButtons
from hardware.simulated.world import World
from tests.support import kernel_pins
from tests.support.pins import pin_factory

HEARD_S = 3.0
HELD_S = 0.4
"""Longer than the lock-out of 0.3 s, within which a slipping finger is still one press."""

Finger = Callable[[ButtonName, float], None]


@dataclass(frozen=True, slots=True)
class Bench:
    """Both buttons, how they are opened again, a finger that is on one for some seconds, an ear."""

    buttons: Buttons
    again: Callable[[], Buttons]
    press: Finger
    heard: "Queue[tuple[ButtonEvent, int]]" = field(default_factory=Queue)

    def listen(self) -> None:
        self.buttons.listen(lambda event: self.heard.put((event, time.monotonic_ns())))

    def next(self) -> tuple[ButtonEvent, int]:
        return self.heard.get(timeout=HEARD_S)

    def changes(self, count: int) -> list[ButtonChange]:
        return [self.next()[0].change for _ in range(count)]


def simulated(folder: Path) -> Bench:
    world = World(None, folder)
    buttons = SimulatedButtons(world)

    def press(button: ButtonName, held_s: float) -> None:
        buttons.press(button, time.monotonic_ns(), held_s)
        time.sleep(held_s)

    return Bench(buttons, lambda: SimulatedButtons(world), press)


def bouncing(touch: Callable[[int], object], let_go: Callable[[int], object]) -> Finger:
    """A finger on contacts that bounce at both ends, to ground."""
    settings = ButtonSettings("gpio")
    numbers = {ButtonName.PHOTO: settings.photo_pin, ButtonName.SCAN: settings.scan_pin}

    def press(button: ButtonName, held_s: float) -> None:
        for act in (touch, let_go, touch):
            act(numbers[button])
        time.sleep(held_s)
        for act in (let_go, touch, let_go):
            act(numbers[button])

    return press


def gpio(_: Path) -> Bench:
    pins, settings = pin_factory(), ButtonSettings("gpio")
    press = bouncing(lambda pin: pins.pin(pin).drive_low(), lambda pin: pins.pin(pin).drive_high())
    return Bench(GpioButtons(settings, pins), lambda: GpioButtons(settings, pins), press)


def kernel(_: Path) -> Bench:
    """The GPIO driver on lgpio, with edges that the kernel stamps."""
    settings = ButtonSettings("gpio")
    for number in (settings.photo_pin, settings.scan_pin):
        kernel_pins.pull(number, "up")
    press = bouncing(
        lambda pin: kernel_pins.pull(pin, "down"), lambda pin: kernel_pins.pull(pin, "up")
    )
    return Bench(GpioButtons(settings), lambda: GpioButtons(settings), press)


BUTTONS = [simulated, gpio, pytest.param(kernel, marks=pytest.mark.device)]


@pytest.fixture(params=BUTTONS, ids=lambda opener: opener.__name__)
def silent(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Nobody listens yet."""
    opener: Callable[[Path], Bench] = request.param
    opened = opener(tmp_path)
    yield opened
    opened.buttons.close()
    opened.buttons.close()


@pytest.fixture
def bench(silent: Bench) -> Bench:
    silent.listen()
    return silent


@pytest.mark.parametrize("button", ButtonName)
def test_a_press_is_touched_pressed_and_released_once(bench: Bench, button: ButtonName) -> None:
    """However its contacts bounce; and no other button is meant."""
    bench.press(button, HELD_S)

    events = [bench.next()[0] for _ in range(3)]

    assert [event.change for event in events] == [
        ButtonChange.TOUCHED,
        ButtonChange.PRESSED,
        ButtonChange.RELEASED,
    ]
    assert {event.button for event in events} == {button}
    time.sleep(0.05)
    assert bench.heard.empty()


def test_a_press_is_dated_by_its_first_edge(bench: Bench) -> None:
    """In CLOCK_MONOTONIC; frames are asked for from this moment on."""
    before_ns = time.monotonic_ns()
    bench.press(ButtonName.PHOTO, HELD_S)

    (touched, touched_ns), (pressed, pressed_ns), (released, _) = (bench.next() for _ in range(3))

    assert before_ns - 1000 <= touched.edge_ns <= touched_ns + 1000
    assert touched.edge_ns == pressed.edge_ns
    assert abs(released.edge_ns - touched.edge_ns - HELD_S * 1e9) < 0.1e9
    assert touched_ns - touched.edge_ns < 20e6, "a light would seem late"
    assert pressed_ns - touched.edge_ns < 100e6


def test_a_held_button_is_released_when_it_is_let_go(bench: Bench) -> None:
    """A long hold takes a press back: its length must be known."""
    bench.press(ButtonName.SCAN, 1.0)

    touched, _, (released, released_ns) = (bench.next() for _ in range(3))

    assert released.change is ButtonChange.RELEASED
    assert released.edge_ns - touched[0].edge_ns >= 0.99e9
    assert released_ns >= released.edge_ns


def test_a_photo_press_says_since_when_the_scan_button_is_down(bench: Bench) -> None:
    """The edges of both contacts decide; a press without the scan button has no such time."""
    scan = Thread(target=bench.press, args=(ButtonName.SCAN, 1.0))
    scan.start()
    time.sleep(0.5)
    bench.press(ButtonName.PHOTO, HELD_S)
    scan.join()
    time.sleep(0.05)
    bench.press(ButtonName.PHOTO, HELD_S)

    events = [bench.next()[0] for _ in range(9)]

    (scan_ns,) = {one.edge_ns for one in events[:2] if one.button is ButtonName.SCAN}
    pressed = [one for one in events if one.change is ButtonChange.PRESSED]
    assert [one.button for one in pressed] == [ButtonName.SCAN, ButtonName.PHOTO, ButtonName.PHOTO]
    assert [one.scan_since_ns for one in pressed] == [None, scan_ns, None]


def test_presses_come_in_their_order(bench: Bench) -> None:
    for _ in range(2):
        bench.press(ButtonName.PHOTO, HELD_S)
        time.sleep(0.05)  # off it for longer than contacts bounce

    one = [ButtonChange.TOUCHED, ButtonChange.PRESSED, ButtonChange.RELEASED]
    assert bench.changes(6) == one * 2


def test_closed_buttons_say_nothing(bench: Bench) -> None:
    """The loop that would be told is gone."""
    bench.buttons.close()

    bench.press(ButtonName.PHOTO, 0.1)

    time.sleep(0.1)
    assert bench.heard.empty()


def test_closed_buttons_can_be_opened_again(bench: Bench) -> None:
    """Their lines were released."""
    bench.buttons.close()

    bench.again().close()


def test_buttons_that_nobody_listens_to_can_be_pressed_and_closed(silent: Bench) -> None:
    """The board closes what it opened when a later part fails."""
    silent.press(ButtonName.PHOTO, 0.1)

    silent.buttons.close()
