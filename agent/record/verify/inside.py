"""Checks in an opened body: the photo against record.json, its EXIF and the label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from agent.errors import NotGenuine
from agent.models import Reason, RecordKind
from agent.record import certificates, credentials, exif, usages
from agent.record.certificates import Certificate, CertificateChain
from agent.record.credentials import Credentials, CredentialsState, NoLibrary, Source
from agent.record.exif import Exif
from agent.record.file import RecordFile
from agent.record.segments import picture_px
from agent.record.verify import consistency
from agent.record.verify.consistency import members

_BOX: Final = b"jumb"
"""Mark of a segment with Content Credentials. Source: ISO 19566-5, JUMBF superbox."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The findings: problems, remarks, facts, and things that were not checked."""

    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


def look(opened: RecordFile, authorities: CertificateChain) -> Seen:
    """Compare all that an opened record says of its photo; `authorities` are the fleet's."""
    seen = Seen()
    photo = opened.photo
    if opened.record.get("simulated") is True:
        seen.remarks.append("it says that a part of its device was simulated")
    if opened.others:
        seen.remarks.append(f"what no device puts there is in its body: {', '.join(opened.others)}")
    seen.problems.extend(consistency.against_itself(opened.record, opened.label))
    seen.remarks.extend(consistency.odd_receiver(opened.record, opened.label))
    if photo is None:
        is_hand_over = opened.record.get("reason") == Reason.HANDED_OVER
        is_test = opened.label.kind == RecordKind.TEST and not is_hand_over
        if opened.label.kind == RecordKind.PHOTO or is_test:
            seen.problems.append(f"a {opened.label.kind} record without photo.jpg")
        return seen
    if opened.label.kind not in {RecordKind.PHOTO, RecordKind.TEST}:
        odd = seen.problems if opened.label.kind in set(RecordKind) else seen.remarks
        odd.append(f"a {opened.label.kind} record with a photo")
    told = members(opened.record, "photo")
    if told:
        seen.problems.extend(consistency.against_record(photo, told))
    if not (photo.startswith(b"\xff\xd8") and photo.endswith(b"\xff\xd9")):
        seen.problems.append("photo.jpg does not begin and end as a JPEG")
    found = _exif(seen, photo, opened, told)
    if not told:  # who wrote the rest of a photo's record describes the photo too
        is_ours = opened.label.kind in set(RecordKind) and (found != Exif() or _BOX in photo)
        odd = seen.problems if is_ours else seen.remarks
        odd.append("record.json describes no photo")
    _credentials(seen, photo, opened, found, authorities)
    return seen


def _exif(seen: Seen, photo: bytes, opened: RecordFile, told: Mapping[str, Any]) -> Exif:
    try:
        found, size_px = exif.read(photo), picture_px(photo)
    except ValueError as error:
        seen.problems.append(f"the EXIF of photo.jpg: {error}")
        return Exif()
    if found is None and told:
        seen.problems.append("photo.jpg lost its EXIF: a device writes it into each")
    elif found is None:
        seen.remarks.append("photo.jpg has no EXIF")
    else:
        seen.problems.extend(consistency.against_exif(found, opened.label, opened.record, told))
        seen.problems.extend(consistency.against_picture(size_px, found))
    return found or Exif()


def _credentials(
    seen: Seen, photo: bytes, opened: RecordFile, photo_exif: Exif, authorities: CertificateChain
) -> None:
    told = members(opened.record, "photo")
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
    wrong = list(_against_credentials(found, opened, photo_exif))
    if found.state is not CredentialsState.INVALID and not authorities:
        seen.unchecked.append("who certified the Content Credentials: no --ca")
    elif found.state is not CredentialsState.INVALID and not _is_by_fleet(found, authorities):
        wrong.insert(0, "its Content Credentials are by another authority than the given one")
    elif not wrong:
        seen.facts.append("Content Credentials by the fleet")
    if found.state is not CredentialsState.TRUSTED and any(map(_is_outside, found.chain)):
        words = "has ended since, or this machine's clock is wrong"
        seen.remarks.append(f"a certificate of its Content Credentials {words}")
    seen.problems.extend(wrong)


def _is_by_fleet(found: Credentials, authorities: CertificateChain) -> bool:
    """Return True if the fleet issued the certificate: c2pa refuses one outside its dates."""
    if found.state is CredentialsState.TRUSTED:
        return True
    try:
        certificates.path(found.chain[0], found.chain, authorities)
        usages.check_credentials(found.chain[0])
    except NotGenuine:
        return False
    return any(map(_is_outside, found.chain))


def _is_outside(certificate: Certificate) -> bool:
    now = datetime.now(UTC)
    return not certificates.starts(certificate) <= now <= certificates.ends(certificate)


def _against_credentials(found: Credentials, opened: RecordFile, photo_exif: Exif) -> Iterator[str]:
    if found.state is CredentialsState.INVALID:
        yield f"its Content Credentials are invalid: {'; '.join(found.reasons)[:200]}"
        return
    told = members(opened.record, "photo")
    if told.get("credentials") is False or "credentials_missing" in told:
        yield "photo.jpg has Content Credentials, and record.json says that it has none"
    if not certificates.is_for(found.chain[0], opened.key):
        yield "its Content Credentials are signed by another key than the label"
    if found.is_resigned:
        yield "photo.jpg was signed twice: its Content Credentials replaced earlier ones"
    if found.source != Source.CAPTURE and opened.record.get("simulated") is not True:
        yield (
            "its Content Credentials do not say that the device's own sensor took it, "
            "and record.json says nothing of a simulation"
        )
    if consistency.origin(photo_exif.model) not in {None, found.source}:
        yield "its Content Credentials name another origin than the camera in its EXIF has"
    if "agent" in opened.record and found.agent != opened.record["agent"]:
        yield "its Content Credentials are by another version of the program than record.json"
    wanted = {name: getattr(opened.label, attribute) for name, attribute in _SAID_TWICE.items()}
    wanted |= {"v": 1, "position": _position(opened.record)}
    for name, value in wanted.items():
        said = found.capture.get(name)
        if said != value or isinstance(said, bool):
            where = _COMPARED_WITH.get(name, "the label")
            yield f"its Content Credentials name another {name.replace('_', ' ')} than {where}"


_SAID_TWICE: Final = {
    "capture_id": "capture_id",
    "device": "device_id",
    "utc": "utc",
    "clock": "clock",
    "boot_id": "boot_id",
    "monotonic_ns": "monotonic_ns",
}
"""Values of the credentials, by their names in the label."""

_COMPARED_WITH: Final = {"v": "this program reads", "position": "record.json"}
"""The other side of the comparison, for other values."""


def _position(record: Mapping[str, Any]) -> dict[str, Any] | None:
    position = members(record, "position")
    names = ("lat_deg", "lon_deg", "accuracy_m", "age_s")
    return {name: position.get(name) for name in names} if position else None
