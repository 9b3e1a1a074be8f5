"""Each fact that a record tells in two places: what is altered in one of them is found.

The fields are taken from the code that writes them, so that a new one must be compared or excused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import piexif  # noqa: TID251 - another reader of what is written
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent import __version__
from agent.capture import photo_facts, record_json
from agent.capture.press_context import PressContext
from agent.config import Config, load
from agent.models import UNASSIGNED, Reason, rfc3339
from agent.record import credentials
from agent.record import file as recordfile
from agent.record.credentials import Credentials, PhotoSigner, Source
from agent.record.exif import Exif, stamp
from agent.record.file import RecordFile
from agent.record.verify import consistency, inside
from agent.rule.policy import Absent
from hardware.camera import Frame
from hardware.clock import ClockSource, Moment
from hardware.driver import KINDS
from hardware.driver import load as load_driver
from hardware.position import Fix
from tests.support.device import Device
from tests.support.factory import MOMENT, RecordMaker
from tests.support.photographed import (
    FIXED,
    PLAIN,
    POWER,
    PROVENANCE,
    Camera,
    claim_of,
    fix_of,
    frame_of,
    moment_of,
    record_of,
)

CAMERA: Final = Camera()
LABEL: Final = CAMERA.maker._label("photo", recordfile.describe(b""))  # noqa: SLF001 - a label that nobody signs
OTHER_ID: Final = "0b9ff0d2-6a0e-4a53-9d29-0c4f5b0c8c11"
FRAME: Final = frame_of(LABEL)
FIX: Final = fix_of(LABEL)
HOUR_LATER: Final = rfc3339(MOMENT + timedelta(hours=1))
STAMPED: Final = b"2026:12:01 10:15:02"

SAME: Final[Mapping[str, Mapping[str, Any]]] = {
    "record": {
        "label.capture_id": OTHER_ID,
        "exif.ImageUniqueID": OTHER_ID.replace("-", "").encode(),
        "credentials.capture_id": OTHER_ID,
    },
    "device": {
        "label.device_id": "van-8",
        "exif.BodySerialNumber": b"van-8",
        "credentials.device": "van-8",
    },
    "time": {
        "label.utc": HOUR_LATER,
        "record.time.utc": HOUR_LATER,
        "credentials.utc": HOUR_LATER,
        "exif.DateTimeOriginal": STAMPED,
        "exif.DateTimeDigitized": STAMPED,
        "exif.DateTime": STAMPED,
    },
    "start of the exposure": {
        "record.photo.exposed_after_press_ms": 3_600_012.3,
        "exif.DateTimeOriginal": STAMPED,
        "exif.DateTimeDigitized": STAMPED,
        "exif.DateTime": STAMPED,
    },
    "fraction of a second": {
        "record.photo.exposed_after_press_ms": 492.3,
        "exif.SubSecTimeOriginal": b"500",
        "exif.SubSecTimeDigitized": b"500",
        "exif.SubSecTime": b"500",
    },
    "clock": {"label.clock": "ntp", "record.time.source": "ntp", "credentials.clock": "ntp"},
    "boot": {"label.boot_id": "b", "record.time.boot_id": "b", "credentials.boot_id": "b"},
    "monotonic time": {
        "label.monotonic_ns": 7,
        "record.time.monotonic_ns": 7,
        "credentials.monotonic_ns": 7,
    },
    "latitude": {
        "record.position.lat_deg": 52.5,
        "exif.GPSLatitude": ((52, 1), (30, 1), (0, 1)),
        "credentials.position.lat_deg": 52.5,
    },
    "hemisphere": {
        "record.position.lat_deg": -FIXED.lat_deg,
        "exif.GPSLatitudeRef": b"S",
        "credentials.position.lat_deg": -FIXED.lat_deg,
    },
    "longitude": {
        "record.position.lon_deg": -13.5,
        "exif.GPSLongitude": ((13, 1), (30, 1), (0, 1)),
        "credentials.position.lon_deg": -13.5,
    },
    "east or west": {
        "record.position.lon_deg": -FIXED.lon_deg,
        "exif.GPSLongitudeRef": b"E",
        "credentials.position.lon_deg": -FIXED.lon_deg,
    },
    "altitude": {"record.position.alt_m": 34.22, "exif.GPSAltitude": (3422, 100)},
    "below the sea": {"record.position.alt_m": -34.2, "exif.GPSAltitudeRef": 1},
    "accuracy": {
        "record.position.accuracy_m": 9.52,
        "exif.GPSHPositioningError": (952, 100),
        "credentials.position.accuracy_m": 9.52,
    },
    "HDOP": {"record.position.hdop": 1.12, "exif.GPSDOP": (112, 100)},
    "satellites": {"record.position.satellites": 10, "exif.GPSSatellites": b"10"},
    "age of the fix": {"record.position.age_s": 0.5, "credentials.position.age_s": 0.5},
    "date of the fix": {
        "record.position.utc": "2026-11-30T09:15:01.600Z",
        "exif.GPSDateStamp": b"2026:11:30",
    },
    "time of the fix": {
        "record.position.utc": "2026-12-01T09:15:01.601Z",
        "exif.GPSTimeStamp": ((9, 1), (15, 1), (1601, 1000)),
    },
    "width": {"record.photo.width_px": 9, "exif.PixelXDimension": 9, "picture.width_px": 9},
    "height": {"record.photo.height_px": 9, "exif.PixelYDimension": 9, "picture.height_px": 9},
    "exposure": {"record.photo.exposure_us": 8001, "exif.ExposureTime": (8001, 1_000_000)},
    "gain": {"record.photo.gain": 2.12, "exif.ISOSpeedRatings": 212},
    "program": {
        "record.agent": "2026.1.0",
        "exif.Software": b"doorstep 2026.1.0",
        "credentials.agent": "2026.1.0",
    },
}
"""Facts, and what each field of one would say if the fact were another one."""

TIED: Final[Mapping[tuple[str, str], tuple[str, Any]]] = {
    ("label.utc", "exif.OffsetTimeOriginal"): ("exif.OffsetTimeOriginal", b"+01:00"),
    ("label.utc", "exif.OffsetTimeDigitized"): ("exif.OffsetTimeDigitized", b"+01:00"),
    ("label.utc", "exif.OffsetTime"): ("exif.OffsetTime", b"+01:00"),
    ("record.photo.exposure_us", "exif.DateTimeOriginal"): ("record.photo.exposure_us", 90_000),
    ("record.position.mode", "exif.GPSMeasureMode"): ("exif.GPSMeasureMode", b"2"),
    ("record.position.mode", "exif.GPSAltitude"): ("record.position.mode", 2),
    ("record.position.lat_deg", "exif.GPSStatus"): ("exif.GPSStatus", b"V"),
    ("record.position.lat_deg", "exif.GPSMapDatum"): ("exif.GPSMapDatum", b"TOKYO"),
    ("record.position.lat_deg", "record.position_missing"): ("record.position_missing", "none"),
    ("record.photo.sha256", "picture.sha256"): ("record.photo.sha256", "0" * 64),
    ("record.photo.bytes", "picture.bytes"): ("record.photo.bytes", 1),
    ("record.photo.credentials", "credentials.state"): ("record.photo.credentials", False),
    ("record.photo.credentials_missing", "credentials.state"): (
        "record.photo.credentials_missing",
        "switched off",
    ),
    ("record.simulated", "credentials.source"): ("credentials.source", Source.ALGORITHM),
    ("record.simulated", "exif.Model"): ("exif.Model", b"Doorstep v4l2"),
    ("record.simulated", "exif.GPSProcessingMethod"): (
        "exif.GPSProcessingMethod",
        b"ASCII\0\0\0MANUAL",
    ),
    ("exif.Model", "credentials.source"): ("exif.Model", b"Doorstep simulated"),
    ("label.key", "credentials.chain"): ("credentials.chain", RecordMaker.begun()),
}
"""Fields of which one says what the other may say, and a value that contradicts."""

CONSTANT: Final = "the same in every photo"
ELSEWHERE: Final = "compared with the rest of the file, in test_verify.py"
ALONE: Final[Mapping[str, str]] = {
    "label.v": "the version of the label's form; others have their own",
    "label.chain": "no other document names the chain",
    "label.seq": "no other document has the number",
    "label.prev": ELSEWHERE,
    "label.kind": "a photo in a record of another kind is found, in test_inside.py",
    "label.about": ELSEWHERE,
    "label.body.type": ELSEWHERE,
    "label.body.bytes": ELSEWHERE,
    "label.body.sha256": ELSEWHERE,
    "record.reason": "only record.json says why there is no photo",
    "record.why": "only record.json says why the chain is new",
    "record.time.uncertainty_s": "only record.json says how good the time is",
    "record.stop.id": "only record.json names the stop: it is private",
    "record.stop.bound_by": "the same",
    "record.stop.distance_m": "the same",
    "record.stop.ring": "the same",
    "record.photo.lux": "EXIF would have BrightnessValue, which no device writes",
    "record.photo.lamp": "EXIF would have Flash, which no device writes",
    "record.photo.converged": "EXIF has no tag for it",
    "record.quality.verdict": "a judgement of the picture, which only record.json has",
    "record.quality.scores.mean_pct": "the same",
    "record.quality.thresholds": "the same",
    "record.retake_of": "another record's id",
    "record.trigger.by": "only record.json says who asked for the record",
    "record.trigger.user": "the same",
    "record.power.battery_pct": "only record.json has the supply",
    "record.power.external": "the same",
    "record.power.under_voltage": "the same",
    "record.manifest": "only record.json names the manifest",
    "exif.Make": CONSTANT,
    "exif.Orientation": CONSTANT,
    "exif.XResolution": CONSTANT,
    "exif.YResolution": CONSTANT,
    "exif.ResolutionUnit": CONSTANT,
    "exif.YCbCrPositioning": CONSTANT,
    "exif.ExifVersion": CONSTANT,
    "exif.ComponentsConfiguration": CONSTANT,
    "exif.FlashpixVersion": CONSTANT,
    "exif.ColorSpace": CONSTANT,
    "exif.GPSVersionID": CONSTANT,
    "exif.ExifTag": "where the values are",
    "exif.GPSTag": "where the values are",
    "credentials.v": "the version of the assertion's form: only 1 is read, in test_inside.py",
    "credentials.is_resigned": "what the verifier concludes from the form, in test_inside.py",
    "credentials.reasons": "what the verifier says of them, not the device",
}
"""Fields that no other field can contradict, and why."""


def _paths(document: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, dict) and value:
            yield from _paths(value, f"{before}.{name}")
        else:
            yield f"{before}.{name}"


def _tags(photo: bytes) -> Iterator[str]:
    loaded = piexif.load(photo)
    for directory, table in {"0th": "Image", "Exif": "Exif", "GPS": "GPS"}.items():
        yield from (f"exif.{piexif.TAGS[table][tag]['name']}" for tag in loaded[directory])


def written() -> set[str]:
    """Every field that a device writes, as the code that writes them has it."""
    moment = moment_of(LABEL)
    trigger = record_json.Trigger("command", "ada")
    records = [
        record_of(LABEL, PLAIN, FRAME, FIX, "switched off"),
        record_of(LABEL, PLAIN, FRAME, None, None),
        record_json.no_photo_record(PROVENANCE, trigger, Reason.CAMERA_FAULT, POWER, UNASSIGNED),
        record_json.void_record(PROVENANCE, trigger, POWER),
        record_json.time_record(PROVENANCE, moment),
        record_json.chain_start_record(PROVENANCE, "new"),
    ]
    found = {path for record in records for path in _paths(record, "record")}
    found.discard("record.position")  # null in a record without a fix
    found |= set(_paths(asdict(LABEL), "label")) | {"label.key"}
    found |= set(_tags(stamp(PLAIN, replace(CAMERA.facts(LABEL), model="Doorstep picamera2"))))
    found |= set(_paths(claim_of(LABEL), "credentials"))
    found |= {f"credentials.{one.name}" for one in fields(Credentials) if one.name != "capture"}
    return found | {f"picture.{name}" for name in ("width_px", "height_px", "bytes", "sha256")}


def test_each_field_that_a_device_writes_is_compared_or_excused() -> None:
    """A field that is neither compared nor excused could be altered unnoticed."""
    compared = {name for fact in SAME.values() for name in fact}
    compared |= {name for pair in TIED for name in pair}

    assert written() == compared | ALONE.keys()
    assert not compared & ALONE.keys()


def test_each_field_that_is_read_from_exif_is_compared() -> None:
    """A reader of more than that would only look as if it were checked."""
    source = Path(consistency.__file__).read_text()

    assert [one.name for one in fields(Exif) if f"found.{one.name}" not in source] == []


@pytest.mark.parametrize("kind", KINDS["camera"])
def test_the_origin_of_each_camera_follows_from_its_model(kind: str) -> None:
    """A program that verifies has no drivers, and may be older than the camera."""
    model, source = load_driver("camera", kind).model, photo_facts.source(kind)

    assert consistency.origin(model) == source, (
        f"the driver of camera.kind = {kind!r}: its model {model!r} must begin with 'Doorstep '; "
        f"{source.rpartition('/')[2]} is its last word if it is not digitalCapture"
    )


@pytest.mark.parametrize(
    ("model", "origin"),
    [
        ("Doorstep later", Source.CAPTURE),
        ("Doorstep later composite", Source.COMPOSITE),
        ("Doorstep later algorithmicMedia", Source.ALGORITHM),
        ("Canon EOS composite", None),
        (None, None),
    ],
)
def test_a_camera_model_names_its_origin(model: str | None, origin: Source | None) -> None:
    assert consistency.origin(model) == origin


def look(altered: Mapping[str, Any] = MappingProxyType({})) -> inside.Seen:
    """Look into a record of one press, in which some fields say something else."""
    by_document: dict[str, dict[str, Any]] = {}
    for name, value in altered.items():
        document, _, path = name.partition(".")
        by_document.setdefault(document, {})[path] = value
    picture = _picture(by_document.get("picture", {}))
    picture = stamp(picture, replace(CAMERA.facts(LABEL), model="Doorstep picamera2"))
    picture = _with_tags(picture, by_document.get("exif", {}))
    picture = _signed(picture, by_document.get("credentials", {}))
    record = record_of(LABEL, picture, FRAME, FIX, None)
    record |= record_json.time_record(PROVENANCE, moment_of(LABEL))
    for path, value in by_document.get("record", {}).items():
        _put(record, path, value)
    label = replace(LABEL, **by_document.get("label", {}))
    key = CAMERA.maker.key.public_key()
    opened = RecordFile(label, "", key, record, picture)
    return inside.look(opened, (CAMERA.authority.certificate,))


def _picture(altered: Mapping[str, int]) -> bytes:
    frame = PLAIN.index(b"\xff\xc0")
    content = bytearray(PLAIN)
    content[frame + 6] = altered.get("height_px", 8)
    content[frame + 8] = altered.get("width_px", 8)
    return bytes(content)


def _with_tags(photo: bytes, altered: Mapping[str, Any]) -> bytes:
    if not altered:
        return photo
    loaded, written = piexif.load(photo), BytesIO()
    for directory, table in {"0th": "Image", "Exif": "Exif", "GPS": "GPS"}.items():
        names = {piexif.TAGS[table][tag]["name"]: tag for tag in loaded[directory]}
        loaded[directory] |= {names[one]: altered[one] for one in altered.keys() & names.keys()}
    piexif.insert(piexif.dump(loaded), photo, written)
    return written.getvalue()


def _signed(photo: bytes, altered: Mapping[str, Any]) -> bytes:
    said, own = claim_of(LABEL), {"agent", "source", "chain"}
    for path, value in altered.items():
        if path not in own:
            _put(said, path, value)
    by = CAMERA if "chain" not in altered else Camera(altered["chain"], CAMERA.authority)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "__version__", altered.get("agent", __version__))
        signer = PhotoSigner(by.maker.key, by.chain)
        return signer.sign(photo, altered.get("source", Source.CAPTURE), said)


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    *before, name = path.split(".")
    for each in before:
        document = document[each]
    document[name] = value


def _divisions() -> Iterator[Any]:
    """Each way in which the fields of a fact may disagree, two sides at a time."""
    for fact, values in SAME.items():
        others = list(values)[1:]
        for count in range(1, len(values)):
            for side in combinations(others, count):
                name = f"{fact}: {', '.join(side)}"
                yield pytest.param({one: values[one] for one in side}, id=name)


def test_same_facts_of_one_press_contradict_nothing() -> None:
    seen = look()

    assert (seen.problems, seen.remarks) == ([], [])


@pytest.mark.parametrize("values", SAME.values(), ids=list(SAME))
def test_a_fact_that_changes_everywhere_contradicts_nothing(values: Mapping[str, Any]) -> None:
    """The tests below thus see the disagreement, and nothing else of these values."""
    assert look(values).problems == []


@pytest.mark.parametrize("altered", list(_divisions()))
def test_fields_of_a_fact_that_disagree_are_found(altered: Mapping[str, Any]) -> None:
    """Every division of every fact into two sides: so each pair of its fields is compared."""
    assert look(altered).problems


@pytest.mark.parametrize(("pair", "altered"), TIED.items(), ids=[" ".join(one) for one in TIED])
def test_a_field_that_another_one_rules_out_is_found(
    pair: tuple[str, str], altered: tuple[str, Any]
) -> None:
    """The other one of the pair stays as it is."""
    assert altered[0] in pair
    assert look(dict([altered])).problems


def test_a_simulated_camera_in_exif_is_held_against_the_credentials_too() -> None:
    """Also of a device that says that a part of it is simulated."""
    altered = {"record.simulated": True, "exif.Model": b"Doorstep simulated"}

    assert look({"record.simulated": True}).problems == []
    assert look({**altered, "credentials.source": Source.ALGORITHM}).problems == []
    assert look(altered).problems


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2020-12-01", "the receiver's own time is before any device was built"),
        (
            "2026-12-02",
            "the receiver's own time is not that of the label, which is said to be from it",
        ),
    ],
)
def test_a_receiver_with_another_time_than_the_label_is_a_remark(day: str, said: str) -> None:
    """A receiver may be wrong, and the device keeps what it said: that is no contradiction."""
    stamp = day.replace("-", ":").encode()
    seen = look({"record.position.utc": f"{day}T09:15:01.600Z", "exif.GPSDateStamp": stamp})

    assert (seen.problems, seen.remarks) == ([], [said])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("device")
    return load(Device(folder, camera={"kind": "picamera2"}).config)


MOMENTS = st.datetimes(datetime(2026, 11, 30), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is beside it
FIXES = st.builds(
    partial(fix_of, LABEL),
    lat_deg=st.floats(-90, 90),
    lon_deg=st.floats(-180, 180),
    alt_m=st.none() | st.floats(-10_000, 10_000),
    eph_m=st.none() | st.floats(0, 40_000_000),
    hdop=st.none() | st.floats(0, 1000),
    satellites=st.none() | st.integers(0, 99),
    mode=st.sampled_from([2, 3]),
    utc=st.none() | MOMENTS,
    received_ns=st.integers(-6_000_000_000, 6_000_000_000),
)
FRAMES = st.builds(
    Frame,
    st.just(np.zeros((8, 8, 3), np.uint8)),
    st.integers(1, 10_000_000),
    st.floats(0, 1000),
    st.none(),
    st.integers(0, 5_000_000_000),
)


@given(st.none() | FIXES, FRAMES, MOMENTS, st.sampled_from(ClockSource))
@example(
    fix_of(LABEL, alt_m=0.005, eph_m=1.005, hdop=0.125, mode=3),
    FRAME,
    MOMENT,
    ClockSource.GNSS,
)
@example(fix_of(LABEL, alt_m=-0.001, mode=2), FRAME, MOMENT, ClockSource.UNSYNCED)
@example(
    fix_of(LABEL, utc=datetime(2026, 12, 31, 23, 59, 59, 999_999, UTC)),
    FRAME,
    MOMENT,
    ClockSource.NTP,
)
@example(FIX, replace(FRAME, gain=1.055), MOMENT, ClockSource.NTP)
@example(FIX, replace(FRAME, gain=0.0), MOMENT, ClockSource.NTP)
@example(FIX, replace(FRAME, gain=1e6), MOMENT, ClockSource.NTP)
def test_output_of_a_device_contradicts_nothing(
    config: Config, fix: Fix | None, frame: Frame, utc: datetime, source: ClockSource
) -> None:
    """With a fix in two or three dimensions, an old one or none, and however it is rounded."""
    moment = Moment(utc, LABEL.monotonic_ns, LABEL.boot_id, ClockSource(source), None)
    known = PressContext(moment, fix, None, Absent.OFF, POWER, None, is_enrolled=True)
    facts = photo_facts.facts(config, LABEL.capture_id, frame, known)
    photo = stamp(PLAIN, facts)
    record = record_of(LABEL, photo, frame, fix, "switched off")
    label = replace(
        LABEL, device_id=config.device.id, utc=rfc3339(utc), clock=ClockSource(source).value
    )
    opened = RecordFile(label, "", CAMERA.maker.key.public_key(), record, photo)

    assert inside.look(opened, ()).problems == []
