"""The backend's configuration: how long what is kept, and which labels are for practice."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

FILE: Final = "backend.toml"
"""In the backend's folder; without it the defaults hold."""


@dataclass(frozen=True, slots=True)
class Retention:
    """`[retention]`, in days; tests/backend/README.md says what each is for.

    Attributes:
        photo_days: a record's body, photo or not, after it was received.
        void_days: a photo taken back or replaced, after that.
        test_days: a practice record.
        view_log_days: who looked at which photo.
    """

    photo_days: int = 30
    void_days: int = 7
    test_days: int = 1
    view_log_days: int = 365


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it; `practice_codes` go into every manifest and must be on no parcel."""

    retention: Retention = field(default_factory=Retention)
    practice_codes: tuple[str, ...] = ("DOORSTEP-PRACTICE",)


def read_settings(folder: Path) -> Settings:
    """Read `backend.toml` in `folder`, if it is there.

    Raises:
        ValueError: a setting that does not exist, or a value that does not fit; names it.
    """
    path = folder / FILE
    given = tomllib.loads(path.read_text()) if path.exists() else {}
    retention = given.pop("retention", {})
    if not isinstance(retention, dict):
        raise ValueError(f"{FILE}: retention: not a table")  # noqa: TRY004 - one kind of wrong
    _check_names(given, ["practice_codes"], "")
    _check_names(retention, [one.name for one in fields(Retention)], "retention.")
    for name, days in retention.items():
        if type(days) is not int or not 0 <= days <= 3650:
            raise ValueError(f"{FILE}: retention.{name}: {days!r} is not 0 to 3650 days")
    codes = given.get("practice_codes", list(Settings().practice_codes))
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise ValueError(f"{FILE}: practice_codes: not a list of texts")
    return Settings(Retention(**retention), tuple(codes))


def _check_names(given: dict[str, Any], known: list[str], where: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{FILE}: no such setting: {where}{unknown[0]}")
