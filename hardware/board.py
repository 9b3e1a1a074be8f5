"""Opens the configured devices and closes them in reverse."""

# ruff: noqa: PLC0415 - a vendor's library is there only where its device is configured

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Protocol, TypeVar, assert_never

from hardware.button import ButtonName, Buttons
from hardware.camera import Camera
from hardware.clock import Clock
from hardware.first_light import open_indicator
from hardware.indicator import Indicator, Lamp
from hardware.position import Position
from hardware.power import Power
from hardware.settings import (
    BoardSettings,
    ButtonSettings,
    CameraKind,
    CameraSettings,
    ClockKind,
    LampKind,
    LampSettings,
    PartKind,
    PositionKind,
    PositionSettings,
    PowerKind,
    PowerSettings,
)
from hardware.simulated.world import World

Press = Callable[[ButtonName, int, float], None]
"""A finger on a simulated board: button, edge in CLOCK_MONOTONIC ns, seconds held."""


@dataclass(frozen=True, slots=True)
class Board:
    """Every device the capture process drives.

    Attributes:
        simulated: some part is anything but the device's own, so its records are no evidence.
        lamp: None where none is fitted.
        press: the finger of simulated buttons; None where people press.
    """

    camera: Camera
    buttons: Buttons
    indicator: Indicator
    lamp: Lamp | None
    position: Position
    power: Power
    clock: Clock
    simulated: bool
    press: Press | None
    parts: ExitStack

    def close(self) -> None:
        """Release every device, the last opened first."""
        self.parts.close()


class _Closable(Protocol):
    def close(self) -> None: ...


_Part = TypeVar("_Part", bound=_Closable | None)
_TheWorld = Callable[[], World]


def open_board(
    settings: BoardSettings,
    run_dir: Path | None,
    floor: datetime,
    indicator: Indicator | None = None,
) -> Board:
    """Open the configured devices; when one fails, those opened before it are closed.

    `run_dir` is where a simulated world keeps its place, None if it need not; `floor` is a time
    that is certainly past.
    An `indicator` that is open already stays open when the board closes: it is its opener's.

    Raises:
        DeviceError: a device is missing or failed; no other one is tried in its place.
        ScriptError: the script of a simulated world is wrong.
    """
    world = cache(lambda: World(settings.simulated.world, run_dir))
    with ExitStack() as opened:
        parts = ExitStack()
        opened.callback(parts.close)
        if indicator is None:
            indicator = _kept(open_indicator(settings.indicator), parts)
        board = _open_parts(settings, world, floor, indicator, parts)
        opened.pop_all()
        return board


def _open_parts(
    settings: BoardSettings,
    world: _TheWorld,
    floor: datetime,
    indicator: Indicator,
    parts: ExitStack,
) -> Board:
    """Open everything; the buttons last, so that nobody presses before there is a camera."""
    clock = _clock(settings.clock.kind, world, floor)
    power = _power(settings.power, world)
    lamp = _kept(_lamp(settings.lamp, world), parts)
    position = _kept(_position(settings.position, world), parts)
    camera = _kept(_camera(settings.camera, world), parts)
    buttons, press = _buttons(settings.buttons, world)
    return Board(
        camera=camera,
        buttons=_kept(buttons, parts),
        indicator=indicator,
        lamp=lamp,
        position=position,
        power=power,
        clock=clock,
        simulated=camera.simulated or position.simulated or _any_simulated(settings),
        press=press,
        parts=parts,
    )


def _kept(part: _Part, parts: ExitStack) -> _Part:
    if part is not None:
        parts.callback(part.close)
    return part


def _any_simulated(settings: BoardSettings) -> bool:
    kinds = (
        settings.camera.kind,
        settings.buttons.kind,
        settings.indicator.kind,
        settings.lamp.kind,
        settings.position.kind,
        settings.power.kind,
        settings.clock.kind,
    )
    return "simulated" in kinds


def _camera(settings: CameraSettings, world: _TheWorld) -> Camera:
    match settings.kind:
        case CameraKind.PICAMERA2:
            from hardware.drivers.camera_picamera2 import PiCamera

            return PiCamera(settings)
        case CameraKind.V4L2:
            from hardware.drivers.camera_v4l2 import WebCamera

            return WebCamera(settings)
        case CameraKind.SIMULATED:
            from hardware.simulated.camera import SimulatedCamera

            return SimulatedCamera(settings, world())
        case other:
            assert_never(other)


def _buttons(settings: ButtonSettings, world: _TheWorld) -> tuple[Buttons, Press | None]:
    match settings.kind:
        case PartKind.GPIO:
            from hardware.drivers.buttons_gpio import GpioButtons

            return GpioButtons(settings), None
        case PartKind.SIMULATED:
            from hardware.simulated.buttons import SimulatedButtons

            buttons = SimulatedButtons(world())
            return buttons, buttons.press
        case other:
            assert_never(other)


def _lamp(settings: LampSettings, world: _TheWorld) -> Lamp | None:
    match settings.kind:
        case LampKind.GPIO:
            from hardware.drivers.lamp_gpio import GpioLamp

            return GpioLamp(settings)
        case LampKind.NONE:
            return None
        case LampKind.SIMULATED:
            from hardware.simulated.lamp import SimulatedLamp

            return SimulatedLamp(world())
        case other:
            assert_never(other)


def _position(settings: PositionSettings, world: _TheWorld) -> Position:
    match settings.kind:
        case PositionKind.GPSD:
            from hardware.drivers.position_gpsd import GpsdPosition

            return GpsdPosition(settings)
        case PositionKind.FIXED:
            from hardware.drivers.position_fixed import FixedPosition

            return FixedPosition(settings)
        case PositionKind.SIMULATED:
            from hardware.simulated.position import SimulatedPosition

            return SimulatedPosition(world())
        case other:
            assert_never(other)


def _power(settings: PowerSettings, world: _TheWorld) -> Power:
    match settings.kind:
        case PowerKind.SYSFS:
            from hardware.drivers.power_sysfs import SysfsPower

            return SysfsPower(settings)
        case PowerKind.SIMULATED:
            from hardware.simulated.power import SimulatedPower

            return SimulatedPower(world())
        case other:
            assert_never(other)


def _clock(kind: ClockKind, world: _TheWorld, floor: datetime) -> Clock:
    from hardware.clock_system import SystemClock

    match kind:
        case ClockKind.SYSTEM:
            return SystemClock(floor)
        case ClockKind.SIMULATED:
            from hardware.simulated.clock import simulated_witness

            return SystemClock(floor, partial(simulated_witness, world()))
        case other:
            assert_never(other)
