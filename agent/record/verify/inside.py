"""What is in an opened body: the photo against record.json, its EXIF and the label."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from agent.errors import NotGenuine
from agent.models import Kind, from_rfc3339
from agent.record import certificates, credentials, exif
from agent.record.certificates import Certificate, Chain
from agent.record.credentials import Credentials, NoLibrary, Source, State
from agent.record.exif import Exif
from agent.record.file import RecordFile

_PLACE_DEG: Final = 1e-7
"""How far two writings of a place may be apart: record.json has 7 digits (half of one is 5e-8),
EXIF ten-thousandths of a second of arc (half of one is 1.4e-8). It is a centimetre."""

_TIME: Final = timedelta(milliseconds=5)
"""The same of a time: label and EXIF cut to a millisecond, record.json rounds to 0.1 ms."""


_BOX: Final = b"jumb"
"""Stands in whatever holds Content Credentials. Source: ISO 19566-5, JUMBF superbox."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What does not fit, what somebody should know, what fits, and what was not looked at."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def look(opened: RecordFile, authorities: Chain) -> Seen:
    """Compare all that an opened record says of its photo; `authorities` are the fleet's."""
    seen = Seen()
    photo = opened.photo
    if opened.record.get("simulated") is True:
        seen.remarks.append("it says that a part of its device was simulated")
    if opened.others:
        seen.remarks.append(f"what no device puts there is in its body: {', '.join(opened.others)}")
    if photo is None:
        if opened.label.kind in {Kind.PHOTO, Kind.TEST}:
            seen.problems.append(f"a {opened.label.kind} record without photo.jpg")
        return seen
    if opened.label.kind not in {Kind.PHOTO, Kind.TEST}:
        odd = seen.problems if opened.label.kind in set(Kind) else seen.remarks
        odd.append(f"a {opened.label.kind} record with a photo")
    told = _object(opened.record, "photo")
    if told:
        seen.problems.extend(_against_record(photo, told))
    else:
        seen.remarks.append("record.json describes no photo")
    if not (photo.startswith(b"\xff\xd8") and photo.endswith(b"\xff\xd9")):
        seen.problems.append("photo.jpg does not begin and end as a JPEG")
    _exif(seen, photo, opened, told)
    _credentials(seen, photo, opened, authorities)
    return seen


def _exif(seen: Seen, photo: bytes, opened: RecordFile, told: Mapping[str, Any]) -> None:
    try:
        found = exif.read(photo)
    except ValueError as error:
        seen.problems.append(f"the EXIF of photo.jpg: {error}")
        return
    if found is None and told:
        seen.problems.append("photo.jpg lost its EXIF: a device writes it into each")
    elif found is None:
        seen.remarks.append("photo.jpg has no EXIF")
    else:
        seen.problems.extend(_against_exif(found, opened, told))


def _against_record(photo: bytes, told: Mapping[str, Any]) -> Iterator[str]:
    if told.get("sha256") != hashlib.sha256(photo).hexdigest():
        yield "photo.jpg is not the photo that record.json describes"
    elif told.get("bytes", len(photo)) != len(photo):
        yield f"photo.jpg has {len(photo)} bytes, and record.json says another number"


def _against_exif(found: Exif, opened: RecordFile, told: Mapping[str, Any]) -> Iterator[str]:
    """No place is repeated in words: they end up in files that many people see."""
    label = opened.label
    if found.unique_id != UUID(label.capture_id).hex:
        yield "its EXIF has the id of another record"
    if found.serial != label.device_id:
        yield f"its EXIF names another device: {found.serial or 'none'!r:.80}"
    wanted = told.get("width_px"), told.get("height_px")
    if None not in wanted and found.size_px != wanted:
        yield "its EXIF has another size than record.json"
    if not _is_taken_then(found.taken, label.utc, told):
        when = "no time in UTC" if found.taken is None else f"{found.taken:%Y-%m-%d %H:%M:%S} UTC"
        yield f"its EXIF says {when}, and the label {label.utc}"
    if not _is_there(found.place_deg, _object(opened.record, "position")):
        yield "its EXIF has another place than record.json"


def _is_taken_then(taken: datetime | None, label_utc: str, told: Mapping[str, Any]) -> bool:
    """EXIF has the end of the exposure, the label the press."""
    began_ms, exposure_us = _number(told, "exposed_after_press_ms"), _number(told, "exposure_us")
    if taken is None or began_ms is None or exposure_us is None:
        return taken is not None and not told
    try:
        after = timedelta(milliseconds=began_ms, microseconds=exposure_us)
        return abs(taken - from_rfc3339(label_utc) - after) <= _TIME
    except OverflowError:
        return False


def _is_there(place_deg: tuple[float, float] | None, position: Mapping[str, Any]) -> bool:
    lat_deg, lon_deg = _number(position, "lat_deg"), _number(position, "lon_deg")
    if place_deg is None or lat_deg is None or lon_deg is None:
        return place_deg is None and not position
    around_deg = abs(place_deg[1] - lon_deg)
    apart_deg = abs(place_deg[0] - lat_deg), min(around_deg, abs(360 - around_deg))
    return max(apart_deg) <= _PLACE_DEG


def _credentials(seen: Seen, photo: bytes, opened: RecordFile, authorities: Chain) -> None:
    told = _object(opened.record, "photo")
    if told.get("credentials") is not True and _BOX not in photo:
        if told.get("credentials") is False:
            why = str(told.get("credentials_missing"))[:80]
            seen.facts.append(f"without Content Credentials: {why}")
        return
    try:
        found = credentials.read(photo, certificates.pem(authorities).decode() or None)
    except NoLibrary:
        seen.unchecked.append("Content Credentials: c2pa-python is not on this machine")
        return
    if found is None:
        if told.get("credentials") is True:
            seen.problems.append("photo.jpg lost the Content Credentials that record.json tells of")
        return
    wrong = list(_against_credentials(found, opened))
    if found.state is not State.INVALID and not authorities:
        seen.unchecked.append("who certified the Content Credentials: no --ca")
    elif found.state is not State.INVALID and not _is_by_fleet(found, authorities):
        wrong.insert(0, "its Content Credentials are by another authority than the given one")
    elif not wrong:
        seen.facts.append("Content Credentials by the fleet")
    if found.state is not State.TRUSTED and any(map(_is_outside, found.chain)):
        words = "has ended since, or this machine's clock is wrong"
        seen.remarks.append(f"a certificate of its Content Credentials {words}")
    seen.problems.extend(wrong)


def _is_by_fleet(found: Credentials, authorities: Chain) -> bool:
    """As the label's certificate is judged: no dates, where c2pa stumbles over one that ended."""
    if found.state is State.TRUSTED:
        return True
    try:
        certificates.path(found.chain[0], found.chain, authorities)
        certificates.check_evidence(found.chain[0])
    except NotGenuine:
        return False
    return any(map(_is_outside, found.chain))


def _is_outside(certificate: Certificate) -> bool:
    now = datetime.now(UTC)
    return not certificates.starts(certificate) <= now <= certificates.ends(certificate)


def _against_credentials(found: Credentials, opened: RecordFile) -> Iterator[str]:
    if found.state is State.INVALID:
        yield f"its Content Credentials are invalid: {'; '.join(found.reasons)[:200]}"
        return
    if not certificates.is_for(found.chain[0], opened.key):
        yield "its Content Credentials are signed by another key than the label"
    if found.source != Source.CAPTURE and opened.record.get("simulated") is not True:
        yield (
            "its Content Credentials do not say that the device's own sensor took it, "
            "and record.json says nothing of a simulation"
        )
    wanted = {name: getattr(opened.label, attribute) for name, attribute in _SAID_TWICE.items()}
    wanted["position"] = _position(opened.record)
    for name, value in wanted.items():
        if found.capture.get(name) != value:
            where = "record.json" if name == "position" else "the label"
            yield f"its Content Credentials name another {name.replace('_', ' ')} than {where}"


_SAID_TWICE: Final = {
    "capture_id": "capture_id",
    "device": "device_id",
    "utc": "utc",
    "clock": "clock",
    "boot_id": "boot_id",
    "monotonic_ns": "monotonic_ns",
}
"""What the credentials say, by its name in the label."""


def _position(record: Mapping[str, Any]) -> dict[str, Any] | None:
    position = _object(record, "position")
    names = ("lat_deg", "lon_deg", "accuracy_m", "age_s")
    return {name: position.get(name) for name in names} if position else None


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = members.get(name)
    return found if isinstance(found, dict) else {}


def _number(members: Mapping[str, Any], name: str) -> float | None:
    found = members.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    try:
        return float(found)
    except OverflowError:
        return None
