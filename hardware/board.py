"""Opens the configured devices and closes them in reverse."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from hardware.button import Buttons, Press
from hardware.camera import Camera
from hardware.clock import Clock
from hardware.clock_system import SystemClock
from hardware.driver import KINDS, SIMULATED, open_part
from hardware.indicator import Indicator, Lamp
from hardware.motion import Motion
from hardware.position import Position
from hardware.power import Power
from hardware.settings import BoardSettings
from hardware.simulated.world import World


@dataclass(frozen=True, slots=True)
class Board:
    """Every device the capture process drives.

    Attributes:
        simulated: some part is anything but the device's own, so its records are no evidence.
        lamp: None without a lamp.
        press: the finger of simulated buttons; None where people press.
    """

    camera: Camera
    buttons: Buttons
    indicator: Indicator
    lamp: Lamp | None
    position: Position
    motion: Motion
    power: Power
    clock: Clock
    simulated: bool
    press: Press | None
    parts: ExitStack

    def close(self) -> None:
        """Release every device, the last opened first."""
        self.parts.close()


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

        def part(name: str) -> Any:
            found = open_part(name, getattr(settings, name), world)
            if hasattr(found, "close"):
                opened.callback(found.close)
            return found

        lit = indicator or part("indicator")
        clock = SystemClock(floor, part("clock"))
        power, lamp, position = map(part, ("power", "lamp", "position"))
        motion, camera = map(part, ("motion", "camera"))
        buttons = part("buttons")  # the last, so that nobody presses before there is a camera
        is_simulated = any(getattr(settings, name).kind == SIMULATED for name in KINDS)
        return Board(
            camera=camera,
            buttons=buttons,
            indicator=lit,
            lamp=lamp,
            position=position,
            motion=motion,
            power=power,
            clock=clock,
            simulated=camera.simulated or position.simulated or is_simulated,
            press=buttons.press,
            parts=opened.pop_all(),
        )
