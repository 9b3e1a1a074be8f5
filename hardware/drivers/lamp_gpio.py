"""The white lamp beside the lens, on a GPIO pin through a transistor.

Not run on hardware; tested on gpiozero's simulated pins.
"""

from typing import Final

from gpiozero import DigitalOutputDevice, Factory  # noqa: TID251 - the driver of the lamp

from hardware.driver import Driver
from hardware.pins_gpio import claiming, device_files, open_pins
from hardware.settings import LampSettings


class GpioLamp:
    """The lamp as `hardware.indicator.Lamp`; `factory` None opens lgpio."""

    def __init__(self, settings: LampSettings, factory: Factory | None = None) -> None:
        with claiming(f"lamp.pin = {settings.pin}"):
            self._device: Final = DigitalOutputDevice(
                settings.pin, pin_factory=factory if factory is not None else open_pins()
            )

    def on(self) -> None:
        """Light it."""
        self._device.on()

    def off(self) -> None:
        """Put it out."""
        self._device.off()

    def close(self) -> None:
        """Put it out and release the line; safe to call twice."""
        if not self._device.closed:
            self._device.off()
        self._device.close()


DRIVER: Final = Driver(open=lambda settings, _world: GpioLamp(settings), device_files=device_files)
