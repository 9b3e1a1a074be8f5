"""The configuration file: TOML to frozen settings, every problem at once, in the operator's words.

The settings of the devices are in `hardware/settings.py`; this module adds the agent's own.
The walk over dataclasses is ours: pydantic costs five times the start of Python itself, and
`doorstep status` runs on every look at a device.
"""

import difflib
import json
import os
import re
import tomllib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from agent.errors import ConfigError
from agent.models import Thresholds
from hardware.settings import (
    BoardSettings,
    ButtonSettings,
    CameraSettings,
    ClockSettings,
    IndicatorSettings,
    LampSettings,
    Match,
    PositionKind,
    PositionSettings,
    PowerSettings,
    Range,
    SimulatedSettings,
)

_T = TypeVar("_T")

DEFAULT_PATH: Final = Path("/etc/doorstep/config.toml")
"""Where a provisioned device has its configuration. Source: design section 10."""


_SHOWN_LIMIT: Final = 200
"""Longest wrong value that is quoted in full: a long path, some two terminal lines."""

_EXACT_FLOAT: Final = 2**53
"""Whole numbers up to this are floats too, exactly. Source: IEEE 754 binary64."""


class ManifestPolicy(StrEnum):
    """Whether stops come from a manifest; OFF is in every record and in the status."""

    OFF = "off"


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """`[device]`."""

    id: Annotated[str, Match(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "letters, digits, . _ -")]
    bench_mode: bool = False
    """Whether presses may come through the socket on a real board; shown in the status."""


@dataclass(frozen=True, slots=True)
class StateSettings:
    """`[state]`: what must survive a power cut, and where the processes meet."""

    dir: Path = Path("/var/lib/doorstep")
    run_dir: Path = Path("/run/doorstep")
    reserve_mb: Annotated[int, Range(1, 1_000_000, "a size in megabytes")] = 64
    """Free space that photos leave alone, so that the queue can go on working."""


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """`[policy]`."""

    manifest: ManifestPolicy


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """`[backend]`."""

    url: Annotated[str, Match(r"https://[^\s/?#]+(/[^\s?#]*)?", "an https:// address")]
    receipt_keys: tuple[Path, ...]
    """Public keys that sign receipts; two while the backend changes its key."""
    ca: Path | None = None
    """Trusted certificates in place of the system's."""


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """`[retention]`: how long the device keeps what the backend has given a receipt for."""

    file_hours: Annotated[int, Range(0, 8_760, "a number of hours")] = 72
    row_days: Annotated[int, Range(1, 365, "a number of days")] = 14


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set; one table of the file per field."""

    device: DeviceSettings
    policy: PolicySettings
    backend: BackendSettings
    camera: CameraSettings
    buttons: ButtonSettings
    indicator: IndicatorSettings
    lamp: LampSettings
    position: PositionSettings
    state: StateSettings = field(default_factory=StateSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    quality: Thresholds = field(default_factory=Thresholds)
    power: PowerSettings = field(default_factory=PowerSettings)
    clock: ClockSettings = field(default_factory=ClockSettings)
    simulated: SimulatedSettings = field(default_factory=SimulatedSettings)

    @property
    def board(self) -> BoardSettings:
        """The devices' settings."""
        names = (setting.name for setting in fields(BoardSettings))
        return BoardSettings(**{name: getattr(self, name) for name in names})


def path_of(argument: Path | None) -> Path:
    """Which file: the command's, else `$DOORSTEP_CONFIG`, else the provisioned device's."""
    return argument or Path(os.environ.get("DOORSTEP_CONFIG") or DEFAULT_PATH)


def load(path: Path) -> Config:
    """Read and check the configuration; relative paths in it are relative to the file.

    Raises:
        ConfigError: names every problem, one per line, with the value and what is allowed.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{path}: cannot read the configuration: {reason}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    walk = _Walk(path.parent.resolve(), [], {})
    config = walk.table(Config, table, "")
    walk.problems.extend(_contradictions(walk.sections))
    if config is None or walk.problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in walk.problems))
    return config


def _contradictions(sections: Mapping[str, Any]) -> list[str]:
    """What is wrong between settings, in those `sections` that are right by themselves."""
    found = []
    camera, position = sections.get("camera"), sections.get("position")
    if camera and camera.mains_hz not in {0, 50, 60}:
        found.append(f"camera.mains_hz: {camera.mains_hz} is not 0 (no lamps), 50 or 60")
    if position and position.kind is PositionKind.FIXED:
        missing = [name for name in ("lat_deg", "lon_deg") if getattr(position, name) is None]
        found += [f"position.{name}: missing; kind fixed needs it" for name in missing]
    backend = sections.get("backend")
    if backend and not backend.receipt_keys:
        found.append("backend.receipt_keys: empty; without a key no receipt can be verified")
    if backend and not _is_address(backend.url):
        found.append(f"backend.url: {json.dumps(backend.url)} is not an address without user name")
    return found + _shared_pins(sections)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # the port, or an IPv6 address
        return False


def _shared_pins(sections: Mapping[str, Any]) -> list[str]:
    users: dict[int, list[str]] = {}
    for table in ("buttons", "indicator", "lamp"):
        settings = sections.get(table)
        if settings is None or settings.kind != "gpio":
            continue
        for setting in fields(settings):
            pin = getattr(settings, setting.name)
            if setting.name.endswith("pin") and pin is not None:
                users.setdefault(pin, []).append(f"{table}.{setting.name}")
    return [f"{' and '.join(names)}: share pin {pin}" for pin, names in users.items() if names[1:]]


class _Wrong(Exception):
    """A value is not what its setting allows."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """Turns tables into settings, noting what is wrong on the way, and which sections are right."""

    base: Path
    problems: list[str]
    sections: dict[str, Any]

    def table(self, cls: type[_T], table: Mapping[str, Any], where: str) -> _T | None:
        hints = get_type_hints(cls, include_extras=True)
        before = len(self.problems)
        for name in sorted(table.keys() - hints.keys()):
            self.problems.append(f"{where}{name}: unknown setting{_guess(name, hints)}")
        found = {}
        for setting in fields(cast("Any", cls)):
            name, hint = where + setting.name, hints[setting.name]
            if is_dataclass(hint) and (setting.name in table or _required(setting)):
                found[setting.name] = self._section(hint, table.get(setting.name, {}), name)
            elif setting.name in table:
                found[setting.name] = self._setting(hint, table[setting.name], name)
            elif _required(setting):
                self.problems.append(f"{name}: missing; set it to {_allowed(hint)}")
        return cls(**found) if len(self.problems) == before else None

    def _section(self, cls: Any, value: object, name: str) -> object:
        if isinstance(value, Mapping):
            self.sections[name] = self.table(cls, value, f"{name}.")
            return self.sections[name]
        self.problems.append(f"{name}: {_shown(value)} is not a table")
        return None

    def _setting(self, hint: Any, value: object, name: str) -> object:
        try:
            return _convert(hint, value, self.base)
        except _Wrong:
            guess = _guess(str(value), list(hint)) if _is_enum(hint) else ""
            self.problems.append(f"{name}: {_shown(value)} is not {_allowed(hint)}{guess}")
            return None


def _convert(hint: Any, value: object, base: Path) -> object:  # noqa: PLR0911 - one per type
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = _convert(arguments[0], value, base)
        if not all(_within(rule, inner) for rule in arguments[1:]):
            raise _Wrong
        return inner
    if origin in {Union, types.UnionType}:
        return _convert(arguments[0], value, base)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(arguments[0], item, base) for item in value)
    if hint is Path and isinstance(value, str) and value and "\0" not in value:
        return base / value
    if _is_enum(hint) and value in list(hint):
        return hint(value)
    if hint is float and type(value) is int and abs(value) <= _EXACT_FLOAT:
        return float(value)
    if type(value) is hint:
        return value
    raise _Wrong


def _within(rule: Range | Match, value: Any) -> bool:
    match rule:
        case Range(low, high):
            return bool(low <= value <= high)
        case Match(pattern):
            return re.fullmatch(pattern, value) is not None


def _allowed(hint: Any) -> str:
    """What a setting allows, in words that follow "is not"."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        rule = arguments[1]
        span = f" ({rule.low:.12g} to {rule.high:.12g})" if isinstance(rule, Range) else ""
        return f"{rule.what}{span}"
    if origin in {Union, types.UnionType}:
        return _allowed(arguments[0])
    if origin is tuple:
        return f"a list where each item is {_allowed(arguments[0])}"
    if _is_enum(hint):
        return f"one of: {', '.join(hint)}"
    words = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    return words.get(hint, "text")


def _shown(value: object) -> str:
    """A value nearly as the file has it, and short enough for one line."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN_LIMIT else f"{text[:_SHOWN_LIMIT]}..."


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def _required(setting: Field[Any]) -> bool:
    return setting.default is MISSING and setting.default_factory is MISSING


def _guess(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
