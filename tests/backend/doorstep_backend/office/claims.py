"""The contents of a record, read as a stranger's word: members of a wrong type do not count.

The label is verified; record.json is signed, but its contents have not been checked.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from agent.models import BoundBy, QualityVerdict, Reason, RecordKind, from_rfc3339, rfc3339
from agent.record import signing
from agent.record.file import RecordFile
from agent.rule.manifest import STOP_ID
from agent.rule.reach import Circle, Ring
from doorstep_backend.wire.records import UNOPENED
from hardware.clock import ClockSource

LABEL_ELSEWHERE: Final = "label_elsewhere"
"""`bound_by` where the label's stop was out of reach: a stranger may have printed it."""

LABEL_UNPLACED: Final = "label_unplaced"
"""`bound_by` where the device did not know its place well enough to say whether it was."""


UNOPENED_BODY: Final = "unopened"
"""`bound_by` where the body is sealed to nobody here: dispatch sees that there is a photo."""


class BootTime(NamedTuple):
    """A claim of a `time` record: at `monotonic_ns` of this boot it was `utc`."""

    device_id: str
    boot_id: str
    monotonic_ns: int
    utc: str
    source: ClockSource


@dataclass(frozen=True, slots=True)
class FilingEntry:
    """All of a record that is filed; a few KB, however much a device put in it.

    Attributes:
        columns: of `captures`, those that the record fills by itself.
        stop_id: what it names, for certain or not.
        boot: what a `time` record says; None where it makes no sense.
    """

    columns: dict[str, Any]
    stop_id: str | None
    boot: BootTime | None


def read(opened: RecordFile) -> FilingEntry:
    """Return what a record says, verified or not."""
    boot = _boot(opened) if opened.label.kind == RecordKind.TIME else None
    return FilingEntry(_columns(opened), stop_id(opened.record), boot)


def _columns(opened: RecordFile) -> dict[str, Any]:
    label, record = opened.label, opened.record
    stop = _object(record.get("stop"))
    bound_by = UNOPENED_BODY if record is UNOPENED else _bound_by(stop)
    return {
        "capture_id": label.capture_id,
        "device_id": label.device_id,
        "chain": label.chain,
        "seq": label.seq,
        "kind": label.kind,
        "boot_id": label.boot_id,
        "monotonic_ns": label.monotonic_ns,
        "utc": label.utc,
        "clock": _clock(label.clock),
        "about": label.about,
        "retake_of": _id(record.get("retake_of")),
        "bound_by": bound_by,
        "ring": _choice(Ring, stop.get("ring")),
        "distance_m": _number(stop.get("distance_m")),
        "accuracy_m": _number(_object(record.get("position")).get("accuracy_m")),
        "reason": _choice(Reason, record.get("reason")),
        "verdict": _choice(QualityVerdict, _object(record.get("quality")).get("verdict"))
        or "unknown",
        "simulated": record.get("simulated") is not False,
        "kid": signing.thumbprint(opened.key),
    }


def stop_id(record: dict[str, Any]) -> str | None:
    """Return the stop that a record.json names, for certain or not."""
    return _id(_object(record.get("stop")).get("id"))


def _bound_by(stop: dict[str, Any]) -> str:
    """Return how the device bound the photo; by a label only if its stop was in reach."""
    by = _choice(BoundBy, stop.get("bound_by")) or BoundBy.UNASSIGNED
    if by != BoundBy.CODE:
        return by
    match _choice(Ring, stop.get("ring")):
        case Ring.INSIDE | Ring.NEAR:
            return by
        case Ring.OUTSIDE:
            return LABEL_ELSEWHERE
        case _:
            return LABEL_UNPLACED


def _boot(opened: RecordFile) -> BootTime | None:
    """Return the boot's time, with its source by the label."""
    said = _object(opened.record.get("time"))
    at, monotonic_ns = said.get("utc"), said.get("monotonic_ns")
    if type(monotonic_ns) is not int or abs(monotonic_ns) >= 2**63:
        return None
    try:
        utc = rfc3339(from_rfc3339(at))
    except ValueError:
        return None
    label = opened.label
    return BootTime(label.device_id, label.boot_id, monotonic_ns, utc, _clock(label.clock))


def circle(position: object) -> Circle | None:
    """Return a record's position as a circle; None without one that is on the globe."""
    found = _object(position)
    lat_deg, lon_deg = _number(found.get("lat_deg")), _number(found.get("lon_deg"))
    if lat_deg is None or lon_deg is None or abs(lat_deg) > 90 or abs(lon_deg) > 180:
        return None
    return Circle(lat_deg, lon_deg, 0.0)


def _clock(found: str) -> ClockSource:
    return ClockSource(_choice(ClockSource, found) or ClockSource.UNSYNCED)


def _object(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _id(found: object) -> str | None:
    return found if isinstance(found, str) and STOP_ID.fullmatch(found) else None


def _number(found: Any) -> float | None:
    return float(found) if type(found) in {int, float} and abs(found) < 1e9 else None


def _choice(words: type[StrEnum], found: object) -> str | None:
    return found if isinstance(found, str) and found in set(words) else None
