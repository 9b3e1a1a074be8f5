"""The board: what is configured is opened, and nothing else in its place."""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from hardware.board import open_board
from hardware.button import ButtonChange, ButtonEvent, ButtonName, Buttons
from hardware.driver import Driver
from hardware.drivers.position_fixed import FixedPosition
from hardware.errors import DeviceMissing, ScriptError
from hardware.indicator import Colour, Signal
from hardware.patterns import DARK, WHITE
from hardware.settings import (
    BoardSettings,
    ButtonSettings,
    CameraSettings,
    ClockSettings,
    IndicatorSettings,
    LampSettings,
    PositionSettings,
    PowerSettings,
    SimulatedSettings,
)
from hardware.simulated.indicator import SimulatedIndicator

FLOOR: Final = datetime(2026, 1, 1, tzinfo=UTC)

SIMULATED: Final = BoardSettings(
    CameraSettings("simulated", width_px=320, height_px=240),
    ButtonSettings("simulated"),
    IndicatorSettings("simulated"),
    LampSettings("simulated"),
    PositionSettings("simulated"),
    power=PowerSettings("simulated"),
    clock=ClockSettings("simulated"),
)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """In each case, a board leaves no driver's thread behind."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def test_a_simulated_board_shares_one_world(tmp_path: Path) -> None:
    script = tmp_path / "world.toml"
    script.write_text(
        "[[at]]\npress = 1\nlat_deg = 1\nlon_deg = 2\nbattery_pct = 3\nlight = 0.02\n"
        'clock = "unsynced"',
        encoding="utf-8",
    )
    settings = replace(SIMULATED, simulated=SimulatedSettings(script))
    board = open_board(settings, tmp_path, FLOOR)
    heard: list[ButtonEvent] = []
    board.buttons.listen(heard.append)
    assert board.press is not None
    assert board.simulated
    board.camera.start()
    edge_ns = time.monotonic_ns()

    board.press(ButtonName.PHOTO, edge_ns, 0.1)

    (frame,) = board.camera.take(edge_ns, 1, 2)
    fix = board.position.last_fix()
    assert heard[0] == ButtonEvent(ButtonName.PHOTO, ButtonChange.TOUCHED, edge_ns)
    assert (frame.gain > 1, board.power.read().battery_pct) == (True, 3)
    assert board.clock.now().source == "unsynced"
    assert fix is not None
    assert (fix.lat_deg, fix.lon_deg) == (1, 2)
    board.close()
    board.close()


def test_a_lamp_that_is_not_fitted_is_no_trouble(tmp_path: Path) -> None:
    board = open_board(replace(SIMULATED, lamp=LampSettings("none")), tmp_path, FLOOR)

    assert board.lamp is None
    board.close()


def test_a_sensor_of_motion_that_is_not_fitted_knows_nothing(tmp_path: Path) -> None:
    """The default: the camera streams as if the device were lifted, and no fault is reported."""
    board = open_board(SIMULATED, tmp_path, FLOOR)

    assert board.motion.lifted() is None
    assert board.motion.trouble() is None
    board.close()


def test_parts_are_chosen_one_by_one_and_one_simulated_makes_the_board_so(tmp_path: Path) -> None:
    position = PositionSettings("fixed", lat_deg=1.0, lon_deg=2.0)

    board = open_board(replace(SIMULATED, position=position), tmp_path, FLOOR)

    assert isinstance(board.position, FixedPosition)
    assert isinstance(board.indicator, SimulatedIndicator)
    assert board.simulated
    board.close()


@pytest.mark.parametrize(("lent", "after"), [(SimulatedIndicator(), WHITE), (None, DARK)])
def test_a_board_darkens_only_an_indicator_that_it_opened(
    tmp_path: Path, lent: SimulatedIndicator | None, after: Colour
) -> None:
    """An owner each: the process that shows its start shows its end, too."""
    board = open_board(SIMULATED, tmp_path, FLOOR, lent)
    board.indicator.show(Signal.HOLD_STILL)
    board.close()

    assert isinstance(board.indicator, SimulatedIndicator)
    assert board.indicator.light == after


def test_a_device_that_fails_closes_those_opened_before_and_none_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_buttons(settings: ButtonSettings, _world: object) -> Buttons:
        assert "film" in {thread.name for thread in threading.enumerate()}
        raise DeviceMissing(f"buttons.photo_pin = {settings.photo_pin}: no GPIO here")

    driver = ModuleType("hardware.drivers.buttons_gpio")
    vars(driver)["DRIVER"] = Driver(open=no_buttons, device_files=None)
    monkeypatch.setitem(sys.modules, "hardware.drivers.buttons_gpio", driver)

    with pytest.raises(DeviceMissing, match="photo_pin = 17"):
        open_board(replace(SIMULATED, buttons=ButtonSettings("gpio")), tmp_path, FLOOR)


def test_a_wrong_world_script_opens_nothing(tmp_path: Path) -> None:
    settings = replace(SIMULATED, simulated=SimulatedSettings(tmp_path / "none.toml"))

    with pytest.raises(ScriptError):
        open_board(settings, tmp_path, FLOOR)
    assert list(tmp_path.iterdir()) == []
