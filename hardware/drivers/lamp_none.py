"""No lamp: none is fitted."""

from typing import Final

from hardware.driver import Driver

DRIVER: Final = Driver(open=lambda _settings, _world: None, device_files=None)
