"""Buttons, indicator and lamp: our code and gpiozero's own, on gpiozero's simulated pins."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from gpiozero import GPIOZeroError  # noqa: TID251 - as the GPIO drivers raise it
from gpiozero.pins.mock import MockFactory  # noqa: TID251 - the type of what tests hand around

from hardware.button import ButtonChange, ButtonEvent, ButtonName, Buttons
from hardware.drivers.buttons_gpio import GpioButtons, kernel_ns
from hardware.drivers.indicator_gpio import SILENT_HZ, GpioIndicator, duty
from hardware.drivers.lamp_gpio import GpioLamp
from hardware.errors import DeviceBusy, DeviceError, DeviceMissing
from hardware.indicator import Signal
from hardware.patterns import AMBER, HIGH_HZ, sounding_s
from hardware.pins_gpio import claiming
from hardware.settings import (
    ButtonSettings,
    Feedback,
    IndicatorSettings,
    LampSettings,
)
from tests.support.device import REPOSITORY
from tests.support.pins import HeardPin, pin_factory
from tests.support.waiting import until

BUTTONS = ButtonSettings("gpio")
INDICATOR = IndicatorSettings("gpio", vibration_pin=16)
WAIT_S = 5.0


@pytest.fixture
def pins() -> MockFactory:
    return pin_factory()


@pytest.fixture
def events(pins: MockFactory) -> Iterator["Queue[ButtonEvent]"]:
    told: Queue[ButtonEvent] = Queue()
    buttons: Buttons = GpioButtons(BUTTONS, pins)
    with closing(buttons):
        buttons.listen(told.put)
        yield told


def levels(pins: MockFactory, *numbers: int) -> list[float]:
    return [float(pins.pin(number).state) for number in numbers]


def history(pins: MockFactory, number: int) -> list[float]:
    return [float(was.state) for was in pins.pin(number).states]


def led(pins: MockFactory) -> list[float]:
    return levels(pins, 5, 6, 13)


def test_a_spike_is_a_glitch(pins: MockFactory, events: "Queue[ButtonEvent]") -> None:
    """The light that TOUCHED lit can go out again."""
    pins.pin(17).drive_low()
    pins.pin(17).drive_high()

    told = [events.get(timeout=WAIT_S).change for _ in range(2)]

    assert told == [ButtonChange.TOUCHED, ButtonChange.GLITCH]


def test_a_button_that_is_held_at_the_start_is_no_press(pins: MockFactory) -> None:
    """Pressed before anybody listened, it is no photo of the past; letting go bounces, too."""
    told: Queue[ButtonEvent] = Queue()
    buttons = GpioButtons(BUTTONS, pins)
    with closing(buttons):
        pins.pin(17).drive_low()
        buttons.listen(told.put)
        time.sleep(0.05)
        while_held = told.qsize()
        for _ in range(2):
            pins.pin(17).drive_high()
            pins.pin(17).drive_low()
        pins.pin(17).drive_high()
        let_go = [told.get(timeout=WAIT_S).change for _ in range(2)]
        time.sleep(0.35)
        before_ns = time.monotonic_ns()
        pins.pin(17).drive_low()
        again = [told.get(timeout=WAIT_S) for _ in range(2)]

    assert while_held == 0
    assert let_go == [ButtonChange.TOUCHED, ButtonChange.GLITCH]
    assert [event.change for event in again] == [ButtonChange.TOUCHED, ButtonChange.PRESSED]
    assert again[0].edge_ns > before_ns - 1000


def test_both_buttons_work_at_once(pins: MockFactory, events: "Queue[ButtonEvent]") -> None:
    """Holding one does not keep the other from being told."""
    pins.pin(17).drive_low()
    pins.pin(27).drive_low()

    told = [events.get(timeout=WAIT_S) for _ in range(4)]

    assert {(event.button, event.change) for event in told} == {
        (name, change)
        for name in ButtonName
        for change in (ButtonChange.TOUCHED, ButtonChange.PRESSED)
    }


def test_an_edge_stamped_by_another_clock_is_dated_on_arrival() -> None:
    """Old kernels stamp with the wall clock; such a time would order a press after everything."""
    now_ns = 5_000_000_000

    assert kernel_ns(4.9, now_ns) == 4_900_000_000
    assert kernel_ns(1_764_000_000.0, now_ns) == now_ns


@pytest.mark.parametrize(
    ("opened", "setting"),
    [
        (lambda: GpioButtons(BUTTONS), "buttons.photo_pin = 17"),
        (lambda: GpioIndicator(INDICATOR), "indicator"),
        (lambda: GpioLamp(LampSettings("gpio")), "lamp.pin = 22"),
    ],
)
def test_error_without_gpio_names_setting_and_remedy(
    opened: Callable[[], Any],
    setting: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """No other pin factory is tried, in particular not a simulated one."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DeviceMissing, match=setting) as failure:
        opened()

    assert "python3-lgpio" in str(failure.value)
    assert "group gpio" in str(failure.value)


class BusyPin(HeardPin):
    """A pin that cannot be released at once, as one of lgpio's on a busy processor."""

    is_busy = True

    def close(self) -> None:
        if self.is_busy:
            self.is_busy = False
            raise GPIOZeroError("GPIO busy")


def test_buttons_that_cannot_be_released_are_no_fault() -> None:
    """A device that powers off would show red for 20 s first."""
    pins = MockFactory(pin_class=BusyPin)
    GpioButtons(BUTTONS, pins).close()

    assert [pins.pin(pin).is_busy for pin in (17, 27)] == [False, False]


def test_two_parts_on_one_pin_are_refused(pins: MockFactory) -> None:
    """The error names the setting that came second."""
    with (
        closing(GpioLamp(LampSettings("gpio", pin=17), pins)),
        pytest.raises(DeviceMissing, match=r"buttons\.photo_pin = 17"),
    ):
        GpioButtons(BUTTONS, pins)


def test_saved_sounds_and_vibrates_once_and_ends_dark(pins: MockFactory) -> None:
    """A short tone with the green light, then silence."""
    settings = IndicatorSettings("gpio", vibration_pin=16, volume_pct=100)
    with closing(GpioIndicator(settings, pins)) as indicator:
        indicator.show(Signal.SAVED)

        until(lambda: history(pins, 16) == [0, 1, 0])  # the motor is written last
        assert history(pins, 6) == [0, 1, 0]
        assert history(pins, 12) == [0, 0.5, 0]
        assert pins.pin(12).tones_hz[-2:] == [HIGH_HZ, SILENT_HZ]
        assert led(pins) == [0, 0, 0]


def test_an_idle_signal_shown_again_keeps_its_rhythm(pins: MockFactory) -> None:
    """A loop that shows READY every turn does not freeze the pulse."""
    with closing(GpioIndicator(INDICATOR, pins)) as indicator:
        indicator.show(Signal.READY)

        until(lambda: led(pins) == [0, 1, 0])
        end_s = time.monotonic() + 0.4
        while time.monotonic() < end_s:
            indicator.show(Signal.READY)
        assert led(pins) == [0, 0, 0]


def test_a_common_anode_led_is_driven_inverted(pins: MockFactory) -> None:
    """Low is lit; dark is high on all three."""
    settings = IndicatorSettings("gpio", common_anode=True)
    with closing(GpioIndicator(settings, pins)) as indicator:
        indicator.show(Signal.NOT_READY)

        until(lambda: led(pins) == [0, 1 - AMBER.green, 1])


def test_volume_zero_is_silent(pins: MockFactory) -> None:
    """The duty cycle is 0; at full volume a square wave, in between as loud as asked."""
    settings = IndicatorSettings("gpio", volume_pct=0)
    with closing(GpioIndicator(settings, pins)) as indicator:
        indicator.show(Signal.FAULT)

        until(lambda: led(pins) == [1, 0, 0])
        assert history(pins, 12) == [0]
    assert duty(100) == 0.5
    assert duty(50) == pytest.approx(1 / 6)


@pytest.mark.parametrize("feedback", [*map(tuple, combinations(Feedback, 1)), tuple(Feedback)])
def test_only_the_senses_that_were_chosen_get_an_answer(
    pins: MockFactory, feedback: tuple[Feedback, ...]
) -> None:
    settings = IndicatorSettings("gpio", vibration_pin=16, volume_pct=100, feedback=feedback)
    with closing(GpioIndicator(settings, pins)) as indicator:
        indicator.show(Signal.HANDED_OVER)
        time.sleep(sounding_s(Signal.HANDED_OVER) + 0.3)

        on = {Feedback.LIGHT: 1.0, Feedback.SOUND: 0.5, Feedback.VIBRATION: 1.0}
        for sense, pin in zip(Feedback, (6, 12, 16), strict=True):
            given = [0, on[sense]] * 2 * (sense in feedback) + [0]
            assert history(pins, pin) == given


LGPIO = """
import os
folder = os.environ.get("LG_WD", os.getcwd())
os.chdir(folder)
os.mkfifo(os.path.join(folder, ".lgd-nfy0"))
fifo = os.open(os.path.join(folder, ".lgd-nfy0"), os.O_RDWR | os.O_NONBLOCK)
reader = open(".lgd-nfy0", "rb")
class error(Exception): pass
def __getattr__(name): return 0
def gpiochip_open(chip): raise error("can not open gpiochip")
"""
"""The behaviour of lgpio 0.2.2 at its import, and without a chip."""

NO_CHIP = {"error", "PinUnknownPi"}
"""The result here, once lgpio is loaded: lgpio's own error, or gpiozero's before it."""

OPENS = """
import os, sys
from hardware.pins_gpio import open_pins
if len(sys.argv) > 1:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    open_pins()
except Exception as error:
    print(type(error).__name__, error)
print(os.getcwd(), os.environ.get("LG_WD"))
"""


@pytest.fixture(params=["stand-in", "lgpio itself"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder to import it from before any other."""
    (tmp_path / "library").mkdir()
    if request.param == "stand-in":
        (tmp_path / "library" / "lgpio.py").write_text(LGPIO)
    elif find_spec("lgpio") is None:
        pytest.skip("lgpio is not installed here; on a device it comes from apt")
    return tmp_path / "library"


def opened(library: Path, current: Path, *words: str) -> tuple[list[str], list[str]]:
    """Open the pins in a process in that folder; what it says, and what is left of lgpio's."""
    temporary = library.parent / "temporary"
    temporary.mkdir()
    temporary.chmod(0o1777)
    paths = f"{library}:{REPOSITORY}"
    done = subprocess.run(
        [sys.executable, "-c", OPENS, *words],
        check=False,
        cwd=current,
        env={"PYTHONPATH": paths, "TMPDIR": str(temporary), "GPIOZERO_PIN_FACTORY": "lgpio"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert not done.stderr
    return done.stdout.splitlines(), [
        one.name for one in (*temporary.iterdir(), *current.iterdir())
    ]


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("as nobody",)], ids=["own folder", "another user's"])
def test_lgpio_leaves_nothing_behind_and_moves_nobody(
    library: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """The FIFO would be in the current folder, and the process would stay there.

    The current folder may be another user's, as for `sudo doorstep doctor` in /root, which goes on
    as capture's user.
    """
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    current = tmp_path / "current"
    current.mkdir(0o700)

    said, left = opened(library, current, *words)

    assert said[0].split()[0] in NO_CHIP
    assert said[1] == ("/ None" if words else f"{current} None")
    assert left == []


@pytest.mark.parametrize(
    ("said", "kind"), [("'GPIO busy'", DeviceBusy), ("can not open gpiochip", DeviceMissing)]
)
def test_a_pin_that_another_process_has_is_not_missing(said: str, kind: type[DeviceError]) -> None:
    with pytest.raises(kind, match=r"^indicator: "), claiming("indicator"):
        raise GPIOZeroError(said)
