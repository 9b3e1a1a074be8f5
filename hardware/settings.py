"""The settings of the devices: plain values, no vendor library, one dataclass per part.

Each is a table of the configuration file; `Range` and `Match` hold the allowed values, as text too.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final


@dataclass(frozen=True, slots=True)
class Range:
    """A number from `low` to `high`, both included; `what` names it in an error message.

    With a `step` it is a multiple of that.
    """

    low: float
    high: float
    what: str
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Text that matches the regular expression `pattern` as a whole; `what` names it."""

    pattern: str
    what: str


@dataclass(frozen=True, slots=True)
class DriverKind:
    """The name of a driver of `part`, a file each: see `hardware/driver.py`."""

    part: str


_PORT: Final = (
    "(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
)
"""1 to 65535."""

Pin = Annotated[int, Range(0, 27, "a BCM pin number")]


class Autofocus(StrEnum):
    """The mode of the lens; NONE for fixed-focus modules."""

    CONTINUOUS = "continuous"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """`[camera]`."""

    kind: Annotated[str, DriverKind("camera")]
    """Driver of the sensor; the records of any driver but `picamera2` say `simulated`."""
    device: Annotated[int, Range(0, 63, "a camera number")] = 0
    """Number of the camera, if there are several."""
    width_px: Annotated[int, Range(320, 4608, "an even width in pixels", step=2)] = 2304
    height_px: Annotated[int, Range(240, 2592, "an even height in pixels", step=2)] = 1296
    autofocus: Autofocus = Autofocus.CONTINUOUS
    mains_hz: Annotated[int, Range(0, 60, "a mains frequency: 0 (no lamps), 50 or 60")] = 50
    """Frequency of the lamps at the doors: the exposure avoids their flicker."""
    frame_deadline_ms: Annotated[int, Range(200, 3_000, "a time in milliseconds")] = 2_000
    """Longest wait for one frame, and before it for the exposure to settle.

    From a stopped camera the first frame takes about half a second.
    """
    linger_s: Annotated[float, Range(0, 600, "a time in seconds")] = 20.0
    """Time that the camera stays on after a photo: by default, as long as a retake is waited for.

    A second parcel at the same door finds the camera on too, if it comes within this time.
    """


@dataclass(frozen=True, slots=True)
class ButtonSettings:
    """`[buttons]`: to ground, with the pull-ups of the board."""

    kind: Annotated[str, DriverKind("buttons")]
    photo_pin: Pin = 17
    scan_pin: Pin = 27


class Feedback(StrEnum):
    """A sense to which the device speaks."""

    LIGHT = "light"
    SOUND = "sound"
    VIBRATION = "vibration"


@dataclass(frozen=True, slots=True)
class IndicatorSettings:
    """`[indicator]`: an RGB LED, a passive buzzer, and a vibration motor where fitted."""

    kind: Annotated[str, DriverKind("indicator")]
    red_pin: Pin = 5
    green_pin: Pin = 6
    blue_pin: Pin = 13
    buzzer_pin: Pin = 12
    vibration_pin: Pin | None = None
    """Only if a motor is fitted."""
    common_anode: bool = False
    """True if the LED has a common anode, and a low level lights it."""
    volume_pct: Annotated[int, Range(0, 100, "a percentage")] = 80
    feedback: tuple[Feedback, ...] = tuple(Feedback)
    """Senses to which the device speaks: all get the answers to presses, light also the rest."""

    @property
    def senses(self) -> frozenset[Feedback]:
        """The senses that get something: a motor has a pin, and a tone has a volume."""
        fitted = {
            Feedback.LIGHT: True,
            Feedback.SOUND: self.volume_pct > 0,
            Feedback.VIBRATION: self.vibration_pin is not None,
        }
        return frozenset(sense for sense in self.feedback if fitted[sense])


@dataclass(frozen=True, slots=True)
class LampSettings:
    """`[lamp]`: a white LED beside the lens, switched by a transistor."""

    kind: Annotated[str, DriverKind("lamp")]
    pin: Pin = 22


@dataclass(frozen=True, slots=True)
class PositionSettings:
    """`[position]`."""

    kind: Annotated[str, DriverKind("position")]
    gpsd: Annotated[str, Match(rf"unix:/.+|[^:/\s]+:{_PORT}", "HOST:PORT or unix:PATH")] = (
        "127.0.0.1:2947"
    )
    lat_deg: Annotated[float, Range(-90, 90, "a latitude in degrees")] | None = None
    """Only for the kind `fixed`, as `lon_deg`."""
    lon_deg: Annotated[float, Range(-180, 180, "a longitude in degrees")] | None = None


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """`[motion]`: while the device is at rest, the camera is stopped."""

    kind: Annotated[str, DriverKind("motion")] = "none"
    """Motion sensor; `iio`: the first accelerometer that the kernel has."""
    sysfs: Path = Path("/sys")


@dataclass(frozen=True, slots=True)
class PowerSettings:
    """`[power]`."""

    kind: Annotated[str, DriverKind("power")] = "sysfs"
    sysfs: Path = Path("/sys")
    gauge: bool = False
    """True if a fuel gauge is built in: then a silent gauge is a fault."""
    current_sensor: Annotated[
        str, Match("[a-z0-9_]{0,32}", "a name in /sys/class/hwmon/*/name, or empty")
    ] = ""
    """Name of the built-in current sensor, such as `ina226`: then a silent sensor is a fault."""
    battery_wh: Annotated[float, Range(1, 500, "an energy in watt-hours")] = 19.5
    """Energy that the new, full battery gives at the sensor; compared with gauge and sensor."""


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """`[clock]`."""

    kind: Annotated[str, DriverKind("clock")] = "system"


@dataclass(frozen=True, slots=True)
class SimulatedSettings:
    """`[simulated]`: the world script of a simulated board."""

    world: Path | None = None
    """Script of the simulated board."""


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """Everything about the devices, a table each."""

    camera: CameraSettings
    buttons: ButtonSettings
    indicator: IndicatorSettings
    lamp: LampSettings
    position: PositionSettings
    motion: MotionSettings = field(default_factory=MotionSettings)
    power: PowerSettings = field(default_factory=PowerSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    simulated: SimulatedSettings = field(default_factory=SimulatedSettings)
