"""Tables of a TOML file to frozen dataclasses: every problem noted, in the reader's words.

pydantic would cost five times the start of Python itself, and `doorstep status` runs on every look
at a device.
"""

import difflib
import json
import os
import re
import tomllib
import types
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from hardware.driver import KINDS, load
from hardware.foreign import SMALL_BYTES, read_file
from hardware.settings import DriverKind, Match, Range

_T = TypeVar("_T")

_SHOWN_LIMIT: Final = 200
"""Longest wrong value that is quoted in full: a long path, some two terminal lines."""

_EXACT_FLOAT: Final = 2**53
"""Whole numbers up to this are floats too, exactly. Source: IEEE 754 binary64."""


def read_document(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not TOML, nested too deeply, or too long; if it is not UTF-8, says in
            which line.
    """
    try:
        return tomllib.loads(read_file(path, SMALL_BYTES).decode())
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        line = error.object.splitlines()[number - 1][:_SHOWN_LIMIT]
        shown = line.decode(errors="backslashreplace")
        words = f"line {number}, `{shown}`, is not UTF-8; save the file as UTF-8"
        raise ValueError(words) from error
    except RecursionError:
        raise ValueError("nested too deeply") from None


class _Wrong(Exception):
    """A value is not what its setting allows."""


@dataclass(frozen=True, slots=True)
class TableReader:
    """A reader of tables as settings, which notes the errors on the way.

    Attributes:
        base: what relative paths are relative to.
        problems: what was wrong, one line each.
        sections: the tables within the table by name; None where one is wrong.
        drivers: whether to import each configured driver that has a table of its own, and to read
            that table too; otherwise it is passed over.
    """

    base: Path
    problems: list[str] = field(default_factory=list)
    sections: dict[str, Any] = field(default_factory=dict)
    drivers: bool = False

    def table(self, cls: type[_T], table: Mapping[str, Any], where: str) -> _T | None:
        """Read a table as `cls`; None where it is wrong, as noted below `where`."""
        hints = get_type_hints(cls, include_extras=True)
        before = len(self.problems)
        found = self._values(cls, hints, table, where)
        part, kind = where.removesuffix("."), str(table.get("kind"))
        own = table.get(kind) if kind in KINDS.get(part, ()) and kind not in hints else None
        if self.drivers and isinstance(own, Mapping):
            cls = load(part, kind).settings or cls
            more = get_type_hints(cls, include_extras=True)
            more = {name: hint for name, hint in more.items() if name not in hints}
            found |= self._values(cls, more, own, f"{where}{kind}.")
        return cls(**found) if len(self.problems) == before else None

    def _values(
        self, cls: Any, hints: Mapping[str, Any], table: Mapping[str, Any], where: str
    ) -> dict[str, Any]:
        """Read those settings of `cls` that `hints` names."""
        kinds = KINDS.get(where.removesuffix("."), ())
        for name in sorted(table.keys() - hints.keys()):
            if name not in kinds or not isinstance(table[name], Mapping):
                self.unknown(name, [*hints, *kinds], where)
        found = {}
        for setting in [one for one in fields(cls) if one.name in hints]:
            name, hint = where + setting.name, hints[setting.name]
            if is_dataclass(hint) and (setting.name in table or _required(setting)):
                found[setting.name] = self._section(hint, table.get(setting.name, {}), name)
            elif setting.name in table:
                found[setting.name] = self.setting(hint, table[setting.name], name)
            elif _required(setting):
                self.problems.append(f"{name}: missing; set it to {_allowed(hint)}")
        return found

    def unknown(self, name: str, known: Iterable[str], where: str) -> None:
        """Report a name that is not in `known`."""
        self.problems.append(f"{where}{name}: unknown setting{_guess(name, known)}")

    def _section(self, cls: Any, value: object, name: str) -> object:
        if isinstance(value, Mapping):
            self.sections[name] = self.table(cls, value, f"{name}.")
            return self.sections[name]
        self.problems.append(f"{name}: {_shown(value)} is not a table")
        return None

    def setting(self, hint: Any, value: object, name: str) -> object:
        """Read one value as its type hint allows. None where it is wrong."""
        try:
            return _convert(hint, value, self.base)
        except _Wrong:
            near = _guess(str(value), _choices(hint))
            self.problems.append(f"{name}: {_shown(value)} is not {_allowed(hint)}{near}")
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
        return base / os.fsdecode(value.encode())  # the file is in UTF-8, whatever the locale
    if _is_enum(hint) and value in list(hint):
        return hint(value)
    if hint is float and type(value) is int and abs(value) <= _EXACT_FLOAT:
        return float(value)
    if type(value) is hint:
        return value
    raise _Wrong


def _within(rule: Range | Match | DriverKind, value: Any) -> bool:
    match rule:
        case DriverKind(part):
            return value in KINDS[part]
        case Range(low, high, _, step):
            return bool(low <= value <= high) and not (step and value % step)
        case Match(pattern):
            return re.fullmatch(pattern, value) is not None


def _allowed(hint: Any) -> str:
    """Describe the allowed values of a setting, to follow "is not"."""
    if choices := _choices(hint):
        return f"one of: {', '.join(choices)}"
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        rule = arguments[1]
        span = f" ({rule.low:.12g} to {rule.high:.12g})" if isinstance(rule, Range) else ""
        return f"{rule.what}{span}"
    if origin in {Union, types.UnionType}:
        return _allowed(arguments[0])
    if origin is tuple:
        return f"a list where each item is {_allowed(arguments[0])}"
    words = {bool: "true or false", int: "a whole number", float: "a number", Path: "a path"}
    return words.get(hint, "text")


def _shown(value: object) -> str:
    """Show a value nearly as the file has it, and short enough for one line."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _SHOWN_LIMIT else f"{text[:_SHOWN_LIMIT]}..."


def _choices(hint: Any) -> Collection[str]:
    """Return the names that a setting allows; none if it is not a choice between names."""
    kinds = (KINDS[rule.part] for rule in get_args(hint) if isinstance(rule, DriverKind))
    return next(kinds, list(hint) if _is_enum(hint) else ())


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)


def _required(setting: Field[Any]) -> bool:
    return setting.default is MISSING and setting.default_factory is MISSING


def _guess(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""
