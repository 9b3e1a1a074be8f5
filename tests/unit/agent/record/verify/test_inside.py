"""What is inside a record tells of one press: photo, EXIF, Content Credentials, record, label."""

import subprocess
import sys
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.capture.photo_facts import GpsFacts
from agent.capture.record_json import capture_claim
from agent.models import CaptureId
from agent.record import certificates, signing
from agent.record import file as recordfile
from agent.record.credentials import Source
from agent.record.verify import Report, examine, inside
from agent.record.verify.papers import Papers
from hardware.clock import ClockSource, Moment
from tests.support.authority import YEAR, Authority, new_authority
from tests.support.benchtop import Parts, bench
from tests.support.factory import MOMENT, Made, RecordMaker
from tests.support.photographed import FIXED, PLACE, Camera
from tests.support.sealed import IDENTITIES
from tests.support.waiting import until


@pytest.fixture
def camera() -> Camera:
    return Camera()


def look(folder: Path, made: Made, camera: Camera | None = None, **changes: Any) -> Report:
    made.into(folder)
    papers = Papers(**changes)
    if camera is not None:
        papers = Papers((camera.authority.certificate,), camera.chain, **changes)
    return examine(folder.glob("*.rec"), None, IDENTITIES, papers)


def words(report: Report) -> list[str]:
    (record,) = report.document["records"]
    return list(record["words"])


def test_all_that_a_record_says_of_one_press_holds(tmp_path: Path, camera: Camera) -> None:
    report = look(tmp_path, camera.make(), camera)

    assert words(report) == ["Content Credentials by the fleet"]
    assert report.verdict == "holds"


def test_a_sealed_one_is_opened_and_compared_the_same(tmp_path: Path) -> None:
    camera = Camera(seals=True)

    assert look(tmp_path, camera.make(), camera).verdict == "holds"


@pytest.mark.slow
def test_what_a_device_really_keeps_holds(tmp_path: Path) -> None:
    """With a fix, and without one."""
    with bench(tmp_path, camera={"kind": "picamera2"}) as device:
        device.press()
        device.parts.now.pass_s(30)
        device.parts.fix()
        device.press()
        report = examine(device.layout.records.iterdir(), None, IDENTITIES)

    found = [each["verdict"] for each in report.document["records"] if each["kind"] == "photo"]
    assert found == ["holds", "holds"], report.lines


def test_exif_may_be_off_by_what_it_cannot_say(tmp_path: Path, camera: Camera) -> None:
    taken = MOMENT + timedelta(milliseconds=20.3 + 4)
    place = replace(FIXED, lat_deg=52.5200066 + 5e-8, lon_deg=-13.404954 - 5e-8)

    assert not look(tmp_path, camera.make(exif={"utc": taken, "position": place})).problems


@pytest.mark.parametrize(
    ("exif", "said"),
    [
        ({"utc": datetime(2026, 11, 30, 9, 15, 2, 20_300, UTC)}, "its EXIF says 2026-11-30"),
        ({"utc": MOMENT + timedelta(milliseconds=30)}, "its EXIF says 2026-12-01"),
        ({"position": GpsFacts(52.5200066, 13.404954, 2)}, "another place than record.json"),
        ({"position": GpsFacts(52.5200067, -13.4049543, 2)}, "another place than record.json"),
        ({"position": None}, "another place than record.json"),
        ({"device_id": "van-8"}, "its EXIF names another device: 'van-8'"),
        ({"device_id": ""}, "its EXIF names another device: 'none'"),
        ({"capture_id": "0b9ff0d2-6a0e-4a53-9d29-0c4f5b0c8c11"}, "the id of another record"),
        ({"width_px": 16}, "another size than record.json"),
    ],
    ids=["day", "10 ms", "hemisphere", "3 cm", "no place", "device", "no device", "id", "size"],
)
def test_exif_of_another_press_is_told(
    tmp_path: Path, camera: Camera, exif: dict[str, Any], said: str
) -> None:
    """Whoever has the key can sign an old photo again; then all of it must be made anew."""
    report = look(tmp_path, camera.make(exif=exif))

    assert report.verdict == "broken"
    assert [each for each in words(report) if said in each], words(report)


ALL_OF_A_FIX = ["state", "datum", "mode", "altitude", "accuracy", "HDOP", "satellites", "time"]


def test_a_place_in_exif_that_record_json_does_not_have_is_told(
    tmp_path: Path, camera: Camera
) -> None:
    report = look(tmp_path, camera.make(record={"position": None}, claim={"position": None}))

    assert words(report) == [
        "its EXIF has another place than record.json",
        f"its EXIF tells another fix than record.json: {', '.join(ALL_OF_A_FIX)}",
    ]


def test_a_simulated_device_is_a_remark(tmp_path: Path, camera: Camera) -> None:
    """Its photo was drawn by a program."""
    report = look(tmp_path, camera.make(record={"simulated": True}), camera)

    assert report.verdict == "holds with remarks"
    assert "it says that a part of its device was simulated" in words(report)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
TOLD = ("lat_deg", "lon_deg", "exposure_us", "exposed_after_press_ms", "width_px", "credentials")


@given(st.dictionaries(st.sampled_from(["photo", "position", "simulated"]), ANY_JSON))
@example({"position": {"lat_deg": 10**400, "lon_deg": 0}})
@example({"photo": {"exposure_us": 1, "exposed_after_press_ms": 10**400}})
def test_whatever_record_json_says_is_compared_and_crashes_nothing(said: dict[str, Any]) -> None:
    seen = inside.look(replace(OPENED, record=said), ())

    assert seen.problems or seen.remarks


@given(st.dictionaries(st.sampled_from(TOLD), ANY_JSON), st.binary(max_size=60))
def test_whatever_a_photo_is_told_and_made_of_crashes_nothing(
    told: dict[str, Any], photo: bytes
) -> None:
    record = {"photo": told, "position": told}

    assert inside.look(replace(OPENED, record=record), ()).problems
    assert inside.look(replace(OPENED, record=record, photo=photo), ()).problems


OPENED = recordfile.unpack(Camera().make(signs=False).content)


def test_what_else_is_in_a_body_is_named(tmp_path: Path) -> None:
    """An expert who unpacks it must not take what lies there for the fleet's."""
    device, more = RecordMaker.begun(), tarfile.TarInfo("fleet-key.pem")
    body = recordfile.pack_body({"manifest": "off"}, None, MOMENT)
    body = body[:-1024] + more.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)
    label = device.make("time", body=recordfile.describe(body)).label
    report = look(tmp_path, Made(label, recordfile.sign(label, body, device.key)))

    assert words(report) == ["what no device puts there is in its body: fleet-key.pem"]


def test_a_photo_that_lost_its_exif_is_told(tmp_path: Path, camera: Camera) -> None:
    made = camera.make(signs=False, stamps=False)

    assert "photo.jpg lost its EXIF: a device writes it into each" in words(look(tmp_path, made))


def test_no_place_is_repeated_in_words(tmp_path: Path, camera: Camera) -> None:
    """The report goes to people who need not know where."""
    made = camera.make(exif={"position": GpsFacts(52.51, 13.4, 2)}, record={"position": PLACE})

    assert "52.5" not in "\n".join(look(tmp_path, made).lines)


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        ({"bytes": 1}, "record.json says another number"),
        ({"sha256": "0" * 64}, "not the photo that record.json describes"),
        ({"sha256": None}, "not the photo that record.json describes"),
        ({"exposure_us": "8000"}, "its EXIF says"),
        ({"exposure_us": 1e308}, "its EXIF says"),
        ({"width_px": [8]}, "another size"),
    ],
)
def test_a_photo_that_is_not_as_described_is_told(
    tmp_path: Path, camera: Camera, photo: dict[str, Any], said: str
) -> None:
    assert said in "; ".join(words(look(tmp_path, camera.make(photo=photo))))


def test_a_photo_with_something_behind_it_is_told(tmp_path: Path, camera: Camera) -> None:
    made = camera.make(tail=b"#!/bin/sh\n", signs=False)

    assert "photo.jpg does not begin and end as a JPEG" in words(look(tmp_path, made))


def test_a_photo_without_exif_and_a_record_that_says_nothing_of_it_are_remarks(
    tmp_path: Path,
) -> None:
    report = look(tmp_path, RecordMaker.begun().make())

    assert words(report) == ["record.json describes no photo", "photo.jpg has no EXIF"]
    assert report.verdict == "holds with remarks"


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ({"device": "van-8"}, "name another device than the label"),
        ({"capture_id": "x"}, "name another capture id than the label"),
        ({"utc": "2026-12-01T09:15:02.001Z"}, "name another utc than the label"),
        ({"clock": "ntp"}, "name another clock than the label"),
        ({"boot_id": ""}, "name another boot id than the label"),
        ({"monotonic_ns": 1}, "name another monotonic ns than the label"),
        ({"position": None}, "name another position than record.json"),
        ({"position": {**PLACE, "age_s": 0.5}}, "name another position than record.json"),
    ],
)
def test_credentials_of_another_press_are_told(
    tmp_path: Path, camera: Camera, claim: dict[str, Any], said: str
) -> None:
    report = look(tmp_path, camera.make(claim=claim), camera)

    assert report.verdict == "broken"
    assert words(report) == [f"its Content Credentials {said}"]


PRESSED = Moment(MOMENT, 1, "boot", ClockSource.GNSS, 0.1)
CLAIM = capture_claim(CaptureId("id"), "van-7", PRESSED, Parts().fix(received_ns=1))
"""What a device says in a photo's credentials."""


@pytest.mark.parametrize("name", sorted(CLAIM.keys() - {"v"}))
def test_each_thing_that_a_device_claims_is_compared(
    tmp_path: Path, camera: Camera, name: str
) -> None:
    assert look(tmp_path, camera.make(claim={name: "another"}), camera).verdict == "broken"


@pytest.mark.parametrize("name", sorted(CLAIM["position"]))
def test_each_part_of_the_place_that_a_device_claims_is_compared(
    tmp_path: Path, camera: Camera, name: str
) -> None:
    place = {one: PLACE[one] for one in CLAIM["position"]} | {name: 9}

    assert look(tmp_path, camera.make(claim={"position": place}), camera).verdict == "broken"


def test_credentials_by_another_device_of_the_fleet_are_told(
    tmp_path: Path, camera: Camera
) -> None:
    other = Camera(RecordMaker.begun("van-8"), camera.authority)
    report = look(tmp_path, camera.make(signer=other), camera)

    assert words(report) == ["its Content Credentials are signed by another key than the label"]


def test_credentials_by_another_authority_are_told(tmp_path: Path, camera: Camera) -> None:
    other = Camera(camera.maker, new_authority())
    report = look(tmp_path, camera.make(signer=other), camera)

    assert words(report) == ["its Content Credentials are by another authority than the given one"]


def test_credentials_of_a_picture_that_no_sensor_took_are_told(
    tmp_path: Path, camera: Camera
) -> None:
    report = look(tmp_path, camera.make(source=Source.ALGORITHM), camera)

    assert report.verdict == "broken"
    assert "record.json says nothing of a simulation" in "; ".join(words(report))


def test_a_simulation_that_says_so_contradicts_nothing(tmp_path: Path, camera: Camera) -> None:
    made = camera.make(source=Source.ALGORITHM, record={"simulated": True})

    assert look(tmp_path, made, camera).verdict == "holds with remarks"


@pytest.mark.slow
def test_a_certificate_that_has_ended_since_is_a_remark(tmp_path: Path) -> None:
    """The device's own, which c2pa calls invalid, or one above it, where it knows no authority."""
    root, key = new_authority(), signing.new_key()
    starts, life = datetime.now(UTC) - YEAR, YEAR + timedelta(seconds=4)
    region = root.issue(key.public_key(), "region", ca=True, starts=starts, life=life)
    cameras = [Camera(RecordMaker.begun(name), root) for name in ("van-7", "van-8")]
    keys = [camera.maker.key.public_key() for camera in cameras]
    ended = root.issue(keys[0], "van-7", evidence=True, starts=starts, life=life)
    below = Authority(key, region).issue(keys[1], "van-8", evidence=True)
    for camera, chain in zip(cameras, [(ended,), (below, region)], strict=True):
        camera.chain = chain
        camera.make().into(tmp_path)
    until(lambda: datetime.now(UTC) > certificates.ends(ended) + timedelta(seconds=1), 10.0)

    def judged(authority: Authority, pinned: signing.PublicKey | None = None) -> list[list[str]]:
        papers = Papers((authority.certificate,), (ended, below, region))
        report = examine(tmp_path.glob("*.rec"), pinned, (), papers)
        return [each["words"] for each in report.document["records"]]

    since = (
        "a certificate of its Content Credentials has ended since, or this machine's clock is wrong"
    )
    assert judged(root) == [[since, "Content Credentials by the fleet"]] * 2
    for one in keys:
        told = str(judged(new_authority(), one))
        assert "Credentials are by another authority than the given one" in told


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("no_photo", "broken"), ("time", "broken"), ("parcel", "holds with remarks")],
)
def test_a_photo_in_a_record_that_should_have_none_is_told(
    tmp_path: Path, camera: Camera, kind: str, verdict: str
) -> None:
    report = look(tmp_path, camera.make(kind=kind), camera)

    assert report.verdict == verdict
    assert f"a {kind} record with a photo" in words(report)


def test_credentials_that_were_altered_are_told(tmp_path: Path, camera: Camera) -> None:
    (said,) = words(look(tmp_path, camera.make(tail=b"\xff\xd9"), camera))

    assert said.startswith("its Content Credentials are invalid: ")


def test_credentials_that_were_taken_away_are_told(tmp_path: Path, camera: Camera) -> None:
    made = camera.make(signs=False, photo={"credentials": True})

    assert words(look(tmp_path, made)) == [
        "photo.jpg lost the Content Credentials that record.json tells of"
    ]


def test_a_photo_that_never_had_any_holds_and_says_why(tmp_path: Path, camera: Camera) -> None:
    report = look(tmp_path, camera.make(signs=False), camera)

    assert report.verdict == "holds"
    assert words(report) == ["without Content Credentials: switched off"]


def test_without_the_authority_it_is_said_that_nobody_was_asked(
    tmp_path: Path, camera: Camera
) -> None:
    report = look(tmp_path, camera.make())

    assert report.verdict == "holds with remarks"
    assert report.document["records"][0]["verdict"] == "holds"
    assert (
        "who certified the Content Credentials: no --ca (1 record)"
        in (report.document["not_checked"])
    )


_WITHOUT_C2PA = """
import sys
import tarfile
sys.modules["c2pa"] = None
from agent.__main__ import main
sys.exit(main(["verify", sys.argv[1]]))
"""


@pytest.mark.slow
def test_without_c2pa_all_else_is_checked_and_that_is_said(tmp_path: Path, camera: Camera) -> None:
    camera.make().into(tmp_path)
    told = subprocess.run(
        [sys.executable, "-c", _WITHOUT_C2PA, tmp_path], capture_output=True, text=True, check=True
    )

    words = "not checked: Content Credentials: c2pa-python is not on this machine (1 record)"
    assert words in told.stdout
    last = told.stdout.splitlines()[-1]
    assert last.startswith("holds with remarks: nothing that was checked contradicts it")


def test_a_record_that_is_sealed_to_others_says_so(tmp_path: Path) -> None:
    camera = Camera(seals=True)
    camera.make().into(tmp_path)
    closed = examine(tmp_path.glob("*.rec"), None)
    others = examine(tmp_path.glob("*.rec"), None, IDENTITIES[:0])
    papers = Papers(certificates.read_pem(camera.authority.pem), camera.chain)
    opened = examine(tmp_path.glob("*.rec"), None, IDENTITIES[1:], papers)

    assert closed.verdict == others.verdict == "holds with remarks"
    assert "what is in sealed bodies: no --identity (1 record)" in closed.document["not_checked"]
    assert opened.verdict == "holds"
