"""The declarations in the file of a device driver, and the closed list of these files.

A process that opens or examines a part imports the driver by its name in the configuration.
`status`, `serve` and `sync` read the configuration without importing a driver.

To add a driver:

1. Add `drivers/PART_KIND.py`, such as `camera_v4l2.py`: the configuration then accepts its kind.
   Its class keeps the contract of a driver (hardware/drivers.md), and its `DRIVER` is a `Driver`.
   Import the vendor's library in the function that opens the part.
2. Add an opener to the part's suite in `tests/contracts/`; test the vendor's behaviour in
   `tests/unit/hardware/`.
3. Add the vendor's package to `pyproject.toml`: as an optional dependency, in `banned-api`, and
   among mypy's exceptions if it ships no types.
4. Run `scripts/test --on-device` on a device, and add a row to `tests/figures.toml`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

SIMULATED: Final = "simulated"
"""The kind of the simulated drivers, in `hardware/simulated/`; each part has one."""


def _kinds() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for file in sorted(Path(__file__).with_name("drivers").glob("[!_]*_*.py")):
        part, _, kind = file.stem.partition("_")
        found.setdefault(part, []).append(kind)
    return {part: (*kinds, SIMULATED) for part, kinds in found.items()}


KINDS: Final = _kinds()
"""The allowed values of `kind`, by the name of the part's table."""


@dataclass(frozen=True, slots=True)
class DeviceFiles:
    """Device files that a driver opens.

    Attributes:
        what: what a sentence calls these files.
        group: the group that owns them on Raspberry Pi OS, by its rules for udev.
        patterns: where they are below /dev.
    """

    what: str
    group: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """A device driver; its file declares it as `DRIVER`.

    Attributes:
        open: opens the part; takes its settings, and a function that returns the simulated world.
        device_files: takes the settings, and returns those that the driver opens, so that
            `doctor` can name a missing group; None if the driver opens none.
        settings: a subclass of the part's settings, with the settings of this driver alone, which
            have defaults. Their table is named after the driver: `[camera.v4l2]`.
    """

    open: Callable[[Any, Any], Any]
    device_files: Callable[[Any], DeviceFiles] | None
    settings: type | None = None

    def own(self, settings: Any) -> Any:
        """Return `settings` with the driver's own settings, at their defaults without a table."""
        if self.settings is None or isinstance(settings, self.settings):
            return settings
        return self.settings(**{one.name: getattr(settings, one.name) for one in fields(settings)})


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDriver(Driver):
    """A driver of a camera, and what its photos say of it.

    Attributes:
        model: the camera's name in EXIF. In a new driver whose source is not `digitalCapture`, its
            last word must be the source, because `verify` reads the source there.
        source: the origin in Content Credentials, a NewsCode of IPTC. `digitalCapture`: the
            device's own sensor. `composite`: any video device, which may show anything; IPTC has no
            word for that, and this one claims the least. `algorithmicMedia`: drawn by a program.
    """

    model: str
    source: Literal["digitalCapture", "composite", "algorithmicMedia"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDriver(Driver):
    """A driver of a source of fixes; `method` is GPSProcessingMethod in the EXIF of its photos."""

    method: Literal["GPS", "MANUAL"]


def open_part(part: str, settings: Any, world: Callable[[], Any] | None = None) -> Any:
    """Open one configured part, and load nothing else; the caller closes the part.

    Raises:
        DeviceError: the part is missing or failed; no other driver is tried in its place.
    """
    driver = load(part, settings.kind)
    return driver.open(driver.own(settings), world)


def load(part: str, kind: str) -> Any:
    """Import the file of one driver, and return its `DRIVER`."""
    module = f"simulated.{part}" if kind == SIMULATED else f"drivers.{part}_{kind}"
    return import_module(f"hardware.{module}").DRIVER
