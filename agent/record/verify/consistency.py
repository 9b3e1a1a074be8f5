"""Facts that a photo's EXIF or the JPEG states and label or record.json state too; pure.

No sentence repeats a place: reports end up in files that many people see.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from agent.models import RecordLabel, from_rfc3339
from agent.record.credentials import IPTC, Source
from agent.record.exif import Exif
from hardware.clock import ClockSource

_PLACE_DEG: Final = 1e-7
"""Greatest difference of two forms of a place: record.json has 7 digits (half of one is 5e-8),
EXIF ten-thousandths of a second of arc (half of one is 1.4e-8). It is a centimetre."""

_TIME: Final = timedelta(milliseconds=5)
"""Greatest difference of times: label and EXIF cut to 1 ms, record.json rounds to 0.1 ms."""

_FIX_TIME: Final = timedelta(milliseconds=1)
"""Least difference of a fix's times that is too much: record.json and EXIF both cut it to 1 ms."""

_HUNDREDTHS: Final = 0.005 + 1e-6
"""Greatest difference of altitude, accuracy and HDOP: record.json has the receiver's values, EXIF
rounds them to hundredths. The millionth is for the arithmetic of floats up to 40,000 km."""

_EXPOSURE_US: Final = 0.5
"""Greatest difference of exposures: both have whole microseconds."""

_ISO: Final = 1 + 1e-6
"""Greatest difference of ISO, 100 times the gain: record.json rounds the gain to hundredths, EXIF
the ISO to whole numbers. Each may be half an ISO off."""

_ISO_MAX: Final = 65_535
"""EXIF has 1 to this, whatever the gain. Source: TIFF 6.0, SHORT."""

_RECEIVER_AGREES: Final = timedelta(minutes=1)
"""Greatest difference of a receiver's time and a label that is dated by it: until it knows the
leap seconds it is 18 s off (IS-GPS-200, 20.3.3.5.2.4), and a fix may be 5 s old."""

_FIRST_BUILT: Final = datetime(2026, 11, 24, tzinfo=UTC)
"""`BUILT` in `hardware.clock` of the first release that wrote down no receiver's time before it."""

_OLD_MODELS: Final = {"Doorstep v4l2": Source.COMPOSITE, "Doorstep simulated": Source.ALGORITHM}
"""Camera models that do not end with their origin, as all later ones do; devices write them."""

MANUAL: Final = "MANUAL"
"""GPSProcessingMethod of a place that was configured, which no receiver said."""


def origin(model: str | None) -> Source | None:
    """Return the origin that Content Credentials must name beside this camera model in the EXIF.

    None if it is no device's. A camera other than a device's own sensor names it in its last word.
    """
    if model is None or not model.startswith("Doorstep "):
        return None
    named = (one for one in Source if one == IPTC + model.rpartition(" ")[2])
    return _OLD_MODELS.get(model) or next(named, Source.CAPTURE)


def against_record(photo: bytes, told: Mapping[str, Any]) -> Iterator[str]:
    """Return what `photo` in record.json says otherwise than the bytes of photo.jpg."""
    if told.get("sha256") != hashlib.sha256(photo).hexdigest():
        yield "photo.jpg is not the photo that record.json describes"
    elif told.get("bytes", len(photo)) != len(photo):
        yield f"photo.jpg has {len(photo)} bytes, and record.json says another number"


def against_picture(picture_px: tuple[int, int] | None, found: Exif) -> Iterator[str]:
    """Return what the EXIF says otherwise than the picture itself, as a decoder has it.

    record.json is compared with the EXIF, so it is compared with the picture too.
    """
    if picture_px is None:
        yield "photo.jpg has no size of its own, or several"
    elif found.size_px != picture_px:
        yield "its EXIF has another size than the picture"


def against_exif(
    found: Exif, label: RecordLabel, record: Mapping[str, Any], told: Mapping[str, Any]
) -> Iterator[str]:
    """Return what the EXIF says otherwise than the label, record.json or itself."""
    if found.unique_id != UUID(label.capture_id).hex:
        yield "its EXIF has the id of another record"
    if found.serial != label.device_id:
        yield f"its EXIF names another device: {found.serial or 'none'!r:.80}"
    if "agent" in record and found.software != f"doorstep {record['agent']}":
        yield "its EXIF names another version of the program than record.json"
    is_made_up = origin(found.model) not in {None, Source.CAPTURE}
    if record.get("simulated") is False and (is_made_up or found.method == MANUAL):
        yield "its EXIF names a simulated part, and record.json none"
    yield from _against_photo(found, told)
    if not _is_taken_then(found.taken, label.utc, told):
        when = "no time in UTC" if found.taken is None else f"{found.taken:%Y-%m-%d %H:%M:%S} UTC"
        yield f"its EXIF says {when}, and the label {label.utc}"
    if {found.digitized, found.modified} != {found.taken}:
        yield "its EXIF has several times for one exposure"
    yield from _against_position(found, members(record, "position"))


def _against_photo(found: Exif, told: Mapping[str, Any]) -> Iterator[str]:
    wanted = told.get("width_px"), told.get("height_px")
    if None not in wanted and found.size_px != wanted:
        yield "its EXIF has another size than record.json"
    if not told:
        return
    if not _is_near(found.exposure_us, told.get("exposure_us"), _EXPOSURE_US):
        yield "its EXIF has another exposure time than record.json"
    said, gain = told.get("gain"), number(told.get("gain"))
    iso = said if gain is None else min(max(100 * gain, 1), _ISO_MAX)
    if not _is_near(found.iso, iso, _ISO):
        yield "its EXIF has another gain than record.json"


def _against_position(found: Exif, position: Mapping[str, Any]) -> Iterator[str]:
    if not _is_there(found.place_deg, position):
        yield "its EXIF has another place than record.json"
    alt_m = position.get("alt_m") if position.get("mode") == 3 else None  # as EXIF: 2D has none
    compared = {
        "state": found.status == ("A" if position else "V"),
        "datum": found.datum == ("WGS-84" if position else None),
        "mode": found.mode == _text(position.get("mode")),
        "altitude": _is_near(found.alt_m, alt_m, _HUNDREDTHS),
        "accuracy": _is_near(found.accuracy_m, position.get("accuracy_m"), _HUNDREDTHS),
        "HDOP": _is_near(found.hdop, position.get("hdop"), _HUNDREDTHS),
        "satellites": found.satellites == _text(position.get("satellites")),
        "time": _is_fixed_then(found.fix_utc, position.get("utc")),
    }
    others = [name for name, is_same in compared.items() if not is_same]
    if others:
        yield f"its EXIF tells another fix than record.json: {', '.join(others)}"


def against_itself(record: Mapping[str, Any], label: RecordLabel) -> Iterator[str]:
    """Return what record.json says otherwise than the label, or twice and differently."""
    dated = members(record, "time")
    for name in ("boot_id", "monotonic_ns", "utc"):
        if dated and dated.get(name) != getattr(label, name):
            yield f"record.json dates another {name.replace('_', ' ')} than the label's"
    if dated and dated.get("source") != label.clock:
        yield "record.json has its date from another source than the label"
    if record.get("position") and "position_missing" in record:
        yield "record.json has a place, and says why it has none"


def odd_receiver(record: Mapping[str, Any], label: RecordLabel) -> Iterator[str]:
    """Return a remark on a receiver's time that cannot be right, or not that of the label.

    It is no contradiction: a device keeps what its receiver says beside what it believes itself.
    """
    said = members(record, "position").get("utc")
    if said is None:
        return
    try:
        fixed, pressed = from_rfc3339(said), from_rfc3339(label.utc)
    except ValueError:
        yield "the receiver's own time in record.json is invalid"
        return
    if fixed < _FIRST_BUILT:
        yield "the receiver's own time is before any device was built"
    elif label.clock == ClockSource.GNSS and abs(fixed - pressed) > _RECEIVER_AGREES:
        yield "the receiver's own time is not that of the label, which is said to be from it"


def _is_taken_then(taken: datetime | None, label_utc: str, told: Mapping[str, Any]) -> bool:
    """Return True if the end of the exposure in EXIF fits the press in the label."""
    began_ms = number(told.get("exposed_after_press_ms"))
    exposure_us = number(told.get("exposure_us"))
    if taken is None or began_ms is None or exposure_us is None:
        return taken is not None and not told
    try:
        after = timedelta(milliseconds=began_ms, microseconds=exposure_us)
        return abs(taken - from_rfc3339(label_utc) - after) <= _TIME
    except OverflowError:
        return False


def _is_fixed_then(fixed: datetime | None, said: object) -> bool:
    if fixed is None or said is None:
        return fixed is None and said is None
    try:
        return abs(fixed - from_rfc3339(said)) < _FIX_TIME
    except ValueError:
        return False


def _is_there(place_deg: tuple[float, float] | None, position: Mapping[str, Any]) -> bool:
    lat_deg, lon_deg = number(position.get("lat_deg")), number(position.get("lon_deg"))
    if place_deg is None or lat_deg is None or lon_deg is None:
        return place_deg is None and not position
    around_deg = abs(place_deg[1] - lon_deg)
    apart_deg = abs(place_deg[0] - lat_deg), min(around_deg, abs(360 - around_deg))
    return max(apart_deg) <= _PLACE_DEG


def _is_near(found: float | None, said: object, within: float) -> bool:
    if found is None or said is None:
        return found is None and said is None
    value = number(said)
    return value is not None and abs(found - value) <= within


def _text(said: object) -> str | None:
    return None if said is None else str(said)


def members(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object of that name; an empty one if it is missing."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def number(said: object) -> float | None:
    """Return a number of record.json; None for anything else."""
    if not isinstance(said, int | float) or isinstance(said, bool):
        return None
    try:
        return float(said)
    except OverflowError:
        return None
