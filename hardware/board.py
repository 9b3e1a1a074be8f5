"""Opens the configured devices and closes them in reverse."""

from contextlib import ExitStack
from dataclasses import dataclass

from hardware.button import Buttons
from hardware.camera import Camera
from hardware.clock import Clock
from hardware.indicator import Indicator, Lamp
from hardware.position import Position
from hardware.power import Power


@dataclass(frozen=True, slots=True)
class Board:
    """Every device the capture process drives; `press` exists on a simulated board only."""

    camera: Camera
    buttons: Buttons
    indicator: Indicator
    lamp: Lamp
    position: Position
    power: Power
    clock: Clock
    simulated: bool
    parts: ExitStack

    def close(self) -> None:
        """Release every device, the last opened first."""
        self.parts.close()
