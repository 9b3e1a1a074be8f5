"""The backend's configuration: what is kept how long, the zone of times, and the like."""

import ipaddress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from doorstep_backend import zones
from doorstep_backend.languages import Languages, drafts
from hardware.settings_toml import read_document

FILE: Final = "backend.toml"
"""In the backend's folder; without it the defaults hold."""


class WrongSettingError(ValueError):
    """A setting, option or file of the backend that is wrong; the text says why."""


@dataclass(frozen=True, slots=True)
class Retention:
    """The settings `[retention]`, in days; agent/docs/privacy.md lists what is kept.

    Attributes:
        photo_days: a record's body, photo or not, after it was received.
        void_days: a photo taken back or replaced, after that.
        test_days: a practice record.
        view_log_days: who looked at which photo.
        open_days: an upload that is not whole, after its last byte.
        refused_days: an upload that was refused, after that.
        report_days: what a device last said of itself, once it is not let in any more.
    """

    photo_days: int = 30
    void_days: int = 7
    test_days: int = 1
    view_log_days: int = 365
    open_days: int = 7
    refused_days: int = 30
    report_days: int = 30


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it.

    Attributes:
        practice_codes: go into every manifest and must be on no parcel.
        proxy: network addresses that say in X-Forwarded-For for whom they speak.
        zone: in which pages tell times, where an address has no zone of its own.
        languages: that customers can choose besides English.
    """

    retention: Retention = field(default_factory=Retention)
    practice_codes: tuple[str, ...] = ("DOORSTEP-PRACTICE",)
    proxy: tuple[str, ...] = ()
    zone: ZoneInfo = zones.UTC_ZONE
    languages: Languages = field(default_factory=Languages)


def read_settings(folder: Path) -> Settings:
    """Read `backend.toml` in `folder`, if it is there.

    Raises:
        WrongSettingError: one that does not exist, or a value that does not fit; names it.
    """
    path = folder / FILE
    try:
        given = read_document(path) if path.exists() else {}
    except ValueError as error:
        raise WrongSettingError(f"{FILE}: {error}") from error
    retention = given.pop("retention", {})
    if not isinstance(retention, dict):
        raise WrongSettingError(f"{FILE}: retention: not a table")
    _check_names(given, ["practice_codes", "proxy", "zone", "languages"], "")
    _check_names(retention, [one.name for one in fields(Retention)], "retention.")
    for name, days in retention.items():
        if type(days) is not int or not 0 <= days <= 3650:
            raise WrongSettingError(f"{FILE}: retention.{name}: {days!r} is not 0 to 3650 days")
    codes = _texts(given, "practice_codes", Settings().practice_codes)
    return Settings(Retention(**retention), codes, _proxies(given), _zone(given), _languages(given))


def _zone(given: dict[str, Any]) -> ZoneInfo:
    found = given.get("zone", zones.UTC_ZONE.key)
    if not isinstance(found, str):
        raise WrongSettingError(f"{FILE}: zone: not a text")
    try:
        return zones.named(found)
    except ValueError as error:
        raise WrongSettingError(f"{FILE}: zone: {error}") from error


def _languages(given: dict[str, Any]) -> Languages:
    found, known = _texts(given, "languages", ()), drafts()
    for tag in found:
        if tag not in known:
            raise WrongSettingError(
                f"{FILE}: languages: {tag[:64]!r} has no catalogue: choose from {', '.join(known)}"
            )
    try:
        return Languages.read(found)
    except ValueError as error:
        raise WrongSettingError(f"{FILE}: languages: {error}") from error


def _proxies(given: dict[str, Any]) -> tuple[str, ...]:
    found = _texts(given, "proxy", ())
    for address in found:
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise WrongSettingError(f"{FILE}: proxy: {address!r} is no network address") from error
    return found


def _texts(given: dict[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    found = given.get(name, list(default))
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise WrongSettingError(f"{FILE}: {name}: not a list of texts")
    return tuple(found)


def _check_names(given: dict[str, Any], known: list[str], where: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise WrongSettingError(f"{FILE}: no such setting: {where}{unknown[0]}")
