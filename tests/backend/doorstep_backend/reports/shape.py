"""The status document as this backend knows it: what is kept of each member. Pure.

What is not in it is left out: no place that somebody adds is kept.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from agent.models import from_rfc3339, printable, rfc3339, to_the_hour
from agent.status.values import (
    Alarm,
    CapturePart,
    DiskPart,
    DoctorPart,
    IdentityPart,
    PartFailed,
    QueueFailed,
    QueuePart,
    Status,
    SyncPart,
)

LONGEST_TEXT: Final = 256
"""Characters of a text; a device cuts its own to 128 bytes (agent/status/fitting.py)."""

MOST: Final = 50
"""Members of a list; the longest has the device's needs, of which there are fewer than 20."""

_NAME: Final = re.compile(r"[a-z_]{1,32}")

_LARGEST: Final = 2**53
"""Largest number that every reader of JSON has exactly. Source: RFC 8259, section 6."""

Member = Callable[[object, str], Any]
"""Gives what is kept of a member. Raises ValueError: it is not what it should be; names it."""

Shape = Mapping[str, Member]


def known_members(found: object) -> dict[str, Any]:
    """Return the document, as far as it is known.

    Raises:
        ValueError: a required member is missing, or is of another kind; the message names it.
    """
    document: dict[str, Any] = _DOCUMENT(found, "")
    return document


def status_of(document: Mapping[str, Any]) -> Status:
    """Return a document of known members as the values of the agent's own status."""
    queue, doctor = document["queue"], document["doctor"]
    alarms = tuple(Alarm(**one) for one in queue.get("alarms", ()))
    changes = {
        "needs": tuple(document["needs"]),
        "identity": IdentityPart(**document["identity"]),
        "queue": _read(QueuePart, QueueFailed, {**queue, "alarms": alarms}, "why"),
        "disk": DiskPart(**document["disk"]),
        "capture": _read(CapturePart, PartFailed, document["capture"]),
        "sync": _read(SyncPart, PartFailed, document["sync"]),
        "doctor": doctor and DoctorPart(doctor["utc"], tuple(doctor["failed"])),
    }
    return Status(**{**document, **changes})


def _read(whole: type[Any], failed: type[Any], part: dict[str, Any] | None, *more: str) -> Any:
    """Return one part; one that says why it cannot be read has nothing else, except `more`."""
    if part is None:
        return None
    if "error" in part:
        return failed(**{name: part[name] for name in ("error", *more) if name in part})
    return whole(**part)


def _wrong(name: str) -> ValueError:
    where = f"its member {name}" if name else "it"
    return ValueError(f"{where} is not as this backend knows it: is the device newer?")


def _text(found: object, name: str) -> str:
    if not isinstance(found, str) or len(found) > LONGEST_TEXT:
        raise _wrong(name)
    return printable(found)


def _flag(found: object, name: str) -> bool:
    if not isinstance(found, bool):
        raise _wrong(name)
    return found


def _count(found: object, name: str) -> int:
    if type(found) is not int or not 0 <= found <= _LARGEST:
        raise _wrong(name)
    return found


def _number(found: object, name: str) -> float:
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _wrong(name)
    if not abs(found) <= _LARGEST:  # nor of what is no number; a float holds no larger one
        raise _wrong(name)
    return found


def _version(found: object, name: str) -> float | str:
    """Read a manifest's number, or the word for a missing one."""
    return _text(found, name) if isinstance(found, str) else _number(found, name)


def _time(found: object, name: str) -> str:
    try:
        return rfc3339(to_the_hour(from_rfc3339(found)))
    except ValueError as error:
        raise _wrong(name) from error


def _trouble(found: object, name: str) -> str:
    """Read a trouble's name, also one that only a newer device knows: the rest is as good."""
    if not isinstance(found, str) or not _NAME.fullmatch(found):
        raise _wrong(name)
    return found


def _or_null(member: Member) -> Member:
    return lambda found, name: None if found is None else member(found, name)


def _list_of(member: Member) -> Member:
    def kept(found: object, name: str) -> list[Any]:
        if not isinstance(found, list) or len(found) > MOST:
            raise _wrong(name)
        return [member(one, name) for one in found]

    return kept


def _object(needed: Shape, more: Shape = MappingProxyType({})) -> Member:
    """Return the reader of an object: `needed` must be there, `more` may."""
    shape = {**needed, **more}

    def kept(found: object, name: str) -> dict[str, Any]:
        if not isinstance(found, dict):
            raise _wrong(name)
        where = f"{name}." if name else ""
        missing = [one for one in needed if one not in found]
        if missing:
            raise _wrong(f"{where}{missing[0]}")
        return {one: shape[one](found[one], f"{where}{one}") for one in shape if one in found}

    return kept


def _or_error(needed: Shape, more: Shape) -> Member:
    """Return the reader of an object that has `error` in place of what must be there."""
    whole, failed = _object(needed, more), _object({"error": _text}, {**needed, **more})

    def kept(found: object, name: str) -> dict[str, Any]:
        says_why = isinstance(found, dict) and "error" in found
        told: dict[str, Any] = (failed if says_why else whole)(found, name)
        return told

    return kept


_TEXT_OR_NULL: Final = _or_null(_text)
_TIME_OR_NULL: Final = _or_null(_time)

_IDENTITY: Final = _object(
    {"mode": _text},
    {
        **dict.fromkeys(("tls_until", "evidence_until", "serve_until"), _TIME_OR_NULL),
        "trouble": _TEXT_OR_NULL,
    },
)

_QUEUE: Final = _or_error(
    dict.fromkeys(("waiting", "suspected", "refused", "damaged"), _count),
    {
        "oldest_utc": _TIME_OR_NULL,
        "oldest_suspect": _flag,
        "alarms": _list_of(_object(dict.fromkeys(("id", "state", "what"), _text))),
        "why": _or_null(_trouble),
        "as_of": _TIME_OR_NULL,
    },
)

_CAPTURE: Final = _or_error(
    {},
    {
        **dict.fromkeys(("ready", "writable", "simulated", "quiet"), _flag),
        **dict.fromkeys(("position", "clock", "energy"), _text),
        **dict.fromkeys(("fleet_refused", "manifest_refused", "no_credentials"), _TEXT_OR_NULL),
        **dict.fromkeys(("fleet", "recipients", "used_wh", "hours_left"), _or_null(_number)),
        "mean_w": _or_null(_number),
        "manifest": _version,
        "manifest_until": _TIME_OR_NULL,
    },
)

_SYNC: Final = _or_error(
    {},
    {
        "state": _text,
        "last_contact": _TIME_OR_NULL,
        **dict.fromkeys(("last_answer", "pause"), _TEXT_OR_NULL),
        "waits_s": _number,
        "hindrance": _or_null(_trouble),
        "batch_minutes": _count,
    },
)

_DOCUMENT: Final = _object(
    {
        "v": _count,
        **dict.fromkeys(("device", "agent", "manifest"), _text),
        "utc": _time,
        "identity": _IDENTITY,
        **dict.fromkeys(("bench_mode", "sealed", "clock_wrong"), _flag),
        "queue": _QUEUE,
        "torn": _or_null(_count),
        "disk": _object({"free_mb": _or_null(_count), "reserve_mb": _count}, {"error": _text}),
        "capture": _or_null(_CAPTURE),
        "sync": _or_null(_SYNC),
        "doctor": _or_null(_object({"utc": _time, "failed": _list_of(_text)})),
        "needs": _list_of(_trouble),
    }
)
"""As agent/status/document.py makes it."""
