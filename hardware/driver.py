"""What the file of a driver declares, and the closed list of these files.

A driver is imported when its part is opened or examined, by its name in the configuration.
`status`, `serve` and `sync` read the configuration without importing one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

SIMULATED: Final = "simulated"
"""The kind of each part in `hardware/simulated/`; there is one for each part."""


def _kinds() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for file in sorted(Path(__file__).with_name("drivers").glob("[!_]*_*.py")):
        part, _, kind = file.stem.partition("_")
        found.setdefault(part, []).append(kind)
    return {part: (*kinds, SIMULATED) for part, kinds in found.items()}


KINDS: Final = _kinds()
"""The allowed values of `kind`, by the name of the part's table."""


@dataclass(frozen=True, slots=True)
class Access:
    """Device files that a driver opens.

    Attributes:
        what: their name in a sentence.
        group: the group that owns them on Raspberry Pi OS, by its rules for udev.
        patterns: where they are below /dev.
    """

    what: str
    group: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One driver; its file has it as `DRIVER`.

    Attributes:
        open: opens the part, by its settings and a function that returns the simulated world.
        access: returns the device files that it opens, by its settings, so that `doctor` names a
            missing group; None if it opens none.
        settings: extends the class of the part's table by settings of this driver alone, with a
            default each. Their table is named after the driver: `[camera.v4l2]`.
    """

    open: Callable[[Any, Any], Any]
    access: Callable[[Any], Access] | None
    settings: type | None = None

    def own(self, settings: Any) -> Any:
        """Return `settings` with the driver's own; these are at their defaults without a table."""
        if self.settings is None or isinstance(settings, self.settings):
            return settings
        return self.settings(**{one.name: getattr(settings, one.name) for one in fields(settings)})


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraDriver(Driver):
    """A driver of a camera, and what its photos say of it.

    Attributes:
        model: the camera in EXIF. If the source is not `digitalCapture`, that is its last word.
        source: in Content Credentials, a NewsCode of IPTC. `digitalCapture`: the device's own
            sensor. `composite`: any video device, which may show anything. `algorithmicMedia`:
            drawn by a program.
    """

    model: str
    source: Literal["digitalCapture", "composite", "algorithmicMedia"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionDriver(Driver):
    """A driver of a source of fixes; `method` is GPSProcessingMethod in the EXIF of its photos."""

    method: Literal["GPS", "MANUAL"]


def open_part(part: str, settings: Any, world: Callable[[], Any] | None = None) -> Any:
    """Open one configured part, and load nothing else; whoever opened it closes it.

    Raises:
        DeviceError: the part is missing or failed; no other one is tried in its place.
    """
    driver = load(part, settings.kind)
    return driver.open(driver.own(settings), world)


def load(part: str, kind: str) -> Any:
    """Import the file of one driver, and return its `DRIVER`."""
    module = f"simulated.{part}" if kind == SIMULATED else f"drivers.{part}_{kind}"
    return import_module(f"hardware.{module}").DRIVER
