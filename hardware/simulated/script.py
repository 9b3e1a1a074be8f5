"""The world script: what surrounds a simulated board, by press number and second, from TOML."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

from hardware.clock import ClockSource
from hardware.errors import ScriptError
from hardware.settings import Match, Range
from hardware.settings_toml import TableReader, read_document

_log = logging.getLogger(__name__)


class CameraFault(StrEnum):
    """A fault of the simulated sensor."""

    NONE = "none"
    STALL = "stall"
    FAIL = "fail"


class LabelKind(StrEnum):
    """The style of the code on the label."""

    CODE128 = "code128"
    DATAMATRIX = "datamatrix"
    PDF417 = "pdf417"
    QR = "qr"


class Reception(StrEnum):
    """The reception of the simulated receiver; UNPLUGGED is no receiver at all."""

    FIX_3D = "3d"
    FIX_2D = "2d"
    NONE = "none"
    UNPLUGGED = "unplugged"

    @property
    def has_fix(self) -> bool:
        """True if fixes come."""
        return self in {Reception.FIX_3D, Reception.FIX_2D}


class Witness(StrEnum):
    """The source of the system clock; the receiver decides about GNSS."""

    NTP = ClockSource.NTP.value
    RTC = ClockSource.RTC.value
    UNSYNCED = ClockSource.UNSYNCED.value


@dataclass(frozen=True, slots=True)
class WorldState:
    """Everything a script can set, with the values of the plain world: a day at one place.

    `label` is the code on what is held before the camera while labels are read; empty for nothing.
    `gauge` is False if the fuel gauge is silent; `watts` count only with a current sensor.
    """

    door: Annotated[int, Range(0, 99_999, "a number that chooses door and parcel")] = 1
    house: Annotated[int, Range(0, 99, "a house number, 0 lets the door choose")] = 0
    light: Annotated[float, Range(0.001, 1, "a light, 1 is day, 0.3 dusk, 0.02 night")] = 1.0
    motion_px: Annotated[float, Range(0, 200, "a motion blur in pixels")] = 0.0
    motion_arc_deg: Annotated[float, Range(0, 360, "an arc in degrees, 0 is straight")] = 0.0
    noise: Annotated[float, Range(0, 50, "a factor of the sensor's noise")] = 1.0
    cover: Annotated[float, Range(0, 1, "the covered share of the lens")] = 0.0
    over_stops: Annotated[float, Range(-10, 10, "an exposure error in stops")] = 0.0
    jpeg_pct: Annotated[int, Range(0, 100, "a webcam's JPEG quality, 0 for no JPEG")] = 0
    label: Annotated[str, Match(r"(?s).{0,2000}", "text of at most 2,000 characters")] = ""
    label_kind: LabelKind = LabelKind.QR
    camera: CameraFault = CameraFault.NONE
    fix: Reception = Reception.FIX_3D
    lat_deg: Annotated[float, Range(-90, 90, "a latitude in degrees")] = 52.5200066
    lon_deg: Annotated[float, Range(-180, 180, "a longitude in degrees")] = 13.404954
    alt_m: Annotated[float, Range(-500, 9_000, "an altitude in metres")] = 34.2
    accuracy_m: Annotated[float, Range(0.1, 10_000, "a horizontal error in metres")] = 4.5
    hdop: Annotated[float, Range(0.1, 100, "a dilution of precision")] = 0.9
    satellites: Annotated[int, Range(0, 60, "a number of satellites")] = 11
    gnss_time: bool = True
    lifted: bool = True
    battery_pct: Annotated[int, Range(0, 100, "a percentage")] = 80
    gauge: bool = True
    watts: Annotated[float, Range(0, 100, "a power in watts, 0 is a silent sensor")] = 1.3
    external: bool = False
    under_voltage: bool = False
    clock: Witness = Witness.NTP


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry `[[at]]`: values from a press or a second on; one of the two is None.

    `press` counts the photo button's presses from 1, `second` the world's time from 0.
    `values` are fields of `WorldState`.
    """

    press: int | None
    second: float | None
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def moves(self) -> bool:
        """True if it names a place."""
        return "lat_deg" in self.values


_KEYS: Final[Mapping[str, Any]] = {
    "press": Annotated[int, Range(1, 99_999, "a press number")],
    "second": Annotated[float, Range(0, 999_999, "a time in seconds")],
}
"""Keys that give the moment of an entry."""


class Script:
    """A world script that is followed: a new file changes the running world.

    Replace it by a rename, so that no process reads half of it. Safe in any thread.
    """

    def __init__(self, path: Path) -> None:
        """Read it; raises ScriptError if it is wrong."""
        self._path: Final = path
        self._version = _version(path)
        self._entries = read_script(path)

    def entries(self) -> tuple[Entry, ...]:
        """Return the entries of the file; while it is wrong, the last right ones."""
        version = _version(self._path)
        if version != self._version:
            self._version = version
            try:
                self._entries = read_script(self._path)
            except ScriptError as error:
                _log.error("event=script_refused error=%r meaning=the_one_before_holds", str(error))
        return self._entries


def _version(path: Path) -> tuple[int, ...]:
    """Return values that differ after a file was replaced or written; empty for a missing one."""
    try:
        told = path.stat()
    except OSError:
        return ()
    return told.st_ino, told.st_mtime_ns, told.st_size


def read_script(path: Path) -> tuple[Entry, ...]:
    """Return the entries of the script in the file's order.

    Raises:
        ScriptError: names every problem: file, entry, value and what is allowed.
    """
    try:
        document = read_document(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ScriptError(
            f"{path}: simulated.world: cannot read the world script: {reason}"
        ) from error
    except ValueError as error:
        raise ScriptError(f"{path}: not valid TOML: {error}") from error
    tables = document.pop("at", [])
    reader = TableReader(
        path.parent,
        [f"{name}: unknown; a world script has [[at]] tables only" for name in document],
    )
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        reader.problems.append("at: not a list of tables; write [[at]] before each")
        tables = []
    entries = tuple(_entry(table, number, reader) for number, table in enumerate(tables, start=1))
    if reader.problems:
        raise ScriptError("\n".join(f"{path}: {problem}" for problem in reader.problems))
    return entries


def _entry(table: Mapping[str, Any], number: int, reader: TableReader) -> Entry:
    hints = {**_KEYS, **get_type_hints(WorldState, include_extras=True)}
    spots = [f"{key} = {table[key]}" for key in _KEYS if key in table]
    spot = f" ({', '.join(spots)})" if spots else ""
    where = f"[[at]] {number}{spot}: "
    if len(spots) != 1:
        reader.problems.append(f"{where}set either press or second")
    if ("lat_deg" in table) != ("lon_deg" in table):
        reader.problems.append(f"{where}set lat_deg and lon_deg together")
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name in hints:
            values[name] = reader.setting(hints[name], value, where + name)
        else:
            reader.unknown(name, hints, where)
    return Entry(values.pop("press", None), values.pop("second", None), values)
