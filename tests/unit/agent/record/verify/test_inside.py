"""The parts of a record describe one press: photo, EXIF, Content Credentials, record.json, label.

Facts that two of them tell are altered one by one in test_consistency.py.
"""

import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.record import certificates, signing
from agent.record import file as recordfile
from agent.record.credentials import Source
from agent.record.verify import VerifyReport, examine, inside
from agent.record.verify.supporting_files import SupportingFiles
from tests.support.authority import YEAR, Authority, new_authority
from tests.support.factory import MOMENT, Made, RecordMaker
from tests.support.photographed import NO_PLACE, Camera
from tests.support.sealed import IDENTITIES
from tests.support.waiting import until


@pytest.fixture
def camera() -> Camera:
    return Camera()


def look(folder: Path, made: Made, camera: Camera | None = None) -> VerifyReport:
    """Verify one record, with the camera's authority if one is given."""
    made.into(folder)
    supporting = SupportingFiles()
    if camera is not None:
        supporting = SupportingFiles((camera.authority.certificate,), camera.chain)
    return examine(folder.glob("*.rec"), None, IDENTITIES, supporting)


def words(report: VerifyReport) -> list[str]:
    (record,) = report.document["records"]
    return list(record["words"])


def test_all_that_a_record_says_of_one_press_holds(tmp_path: Path, camera: Camera) -> None:
    report = look(tmp_path, camera.make(), camera)

    assert words(report) == ["Content Credentials by the fleet"]
    assert report.verdict == "holds"


CONTRADICTIONS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "10 ms": (
        {"exif": {"taken": MOMENT + timedelta(milliseconds=30)}},
        "its EXIF says 2026-12-01 09:15:02 UTC, and the label 2026-12-01T09:15:02.000Z",
    ),
    "3 cm": (
        {"exif": {"place_deg": (52.5200067, -13.4049543)}},
        "its EXIF has another place than record.json",
    ),
    "another record's": (
        {"exif": {"unique_id": "0" * 32}},
        "its EXIF has the id of another record",
    ),
    "no device": ({"exif": {"serial": ""}}, "its EXIF names another device: 'none'"),
    "a place in EXIF alone": (
        {"record": {"position": None}, "claim": {"position": None}},
        "another fix than record.json: state, datum, mode, altitude, accuracy, HDOP, satellites",
    ),
    "a place in record.json alone": (
        {"exif": NO_PLACE},
        "its EXIF has another place than record.json",
    ),
    "a place in the credentials alone": (
        {"exif": NO_PLACE, "record": {"position": None}},
        "its Content Credentials name another position than record.json",
    ),
    "credentials of another device": (
        {"claim": {"device": "van-8"}},
        "its Content Credentials name another device than the label",
    ),
    "an exposure in words": (
        {"photo": {"exposure_us": "8000"}},
        "its EXIF has another exposure time than record.json",
    ),
    "an exposure without end": (
        {"photo": {"exposure_us": 1e308}},
        "its EXIF says 2026-12-01 09:15:02 UTC, and the label 2026-12-01T09:15:02.000Z",
    ),
    "a list of widths": ({"photo": {"width_px": [8]}}, "its EXIF has another size"),
    "no digest": ({"photo": {"sha256": None}}, "not the photo that record.json describes"),
    "no EXIF": ({"signs": False, "stamps": False}, "photo.jpg lost its EXIF: a device writes it"),
    "something behind it": (
        {"tail": b"#!/bin/sh\n", "signs": False},
        "photo.jpg does not begin and end as a JPEG",
    ),
    "altered credentials": ({"tail": b"\xff\xd9"}, "its Content Credentials are invalid: "),
    "drawn by a program": (
        {"source": Source.ALGORITHM},
        "and record.json says nothing of a simulation",
    ),
    "no credentials": (
        {"signs": False, "photo": {"credentials": True}},
        "photo.jpg lost the Content Credentials that record.json tells of",
    ),
    "credentials of another format": (
        {"claim": {"v": 2}},
        "its Content Credentials name another v than this program reads",
    ),
    "a format that is no number": (
        {"claim": {"v": True}},
        "its Content Credentials name another v than this program reads",
    ),
    "signed twice": ({"signatures": 2}, "photo.jpg was signed twice"),
    "no photo described": ({"record": {"photo": None}}, "record.json describes no photo"),
    "no photo described, nor signed": (
        {"record": {"photo": {}}, "signs": False},
        "record.json describes no photo",
    ),
    "a record that has no photo": ({"kind": "time"}, "a time record with a photo"),
}
"""Arguments of `Camera.make`, and the words of the report."""


@pytest.mark.parametrize(("made", "said"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradiction_is_reported(
    tmp_path: Path, camera: Camera, made: dict[str, Any], said: str
) -> None:
    """A forger with the key can sign an old photo again, but must then make all its parts again."""
    report = look(tmp_path, camera.make(**made), camera)

    assert report.verdict == "broken"
    assert said in "; ".join(words(report))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"record": {"simulated": True}}, "it says that a part of its device was simulated"),
        ({"kind": "parcel"}, "a parcel record with a photo"),
    ],
)
def test_other_difference_is_a_remark(
    tmp_path: Path, camera: Camera, made: dict[str, Any], said: str
) -> None:
    """Such as a photo in a record of a later version's kind."""
    report = look(tmp_path, camera.make(**made), camera)

    assert report.verdict == "holds with remarks"
    assert said in words(report)


OPENED = recordfile.unpack(Camera().make(signs=False).content)


def test_photo_of_an_earlier_release_does_not_say_if_its_exposure_had_settled() -> None:
    told = {name: said for name, said in OPENED.record["photo"].items() if name != "converged"}
    earlier = replace(OPENED, record=OPENED.record | {"photo": told})

    assert told != OPENED.record["photo"]
    assert inside.look(earlier, ()) == inside.look(OPENED, ())
    assert not inside.look(earlier, ()).problems


def test_photo_record_without_a_photo_is_reported() -> None:
    assert inside.look(replace(OPENED, photo=None), ()).problems == [
        "a photo record without photo.jpg"
    ]


@pytest.mark.parametrize(
    ("reason", "problems"),
    [("handed_over", []), ("no_photo_stop", ["a test record without photo.jpg"])],
)
def test_a_test_record_without_a_photo_may_be_a_hand_over(reason: str, problems: list[str]) -> None:
    label = replace(OPENED.label, kind="test")
    opened = replace(OPENED, label=label, record={"reason": reason}, photo=None)

    assert inside.look(opened, ()).problems == problems


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
TOLD = ("lat_deg", "lon_deg", "exposure_us", "exposed_after_press_ms", "width_px", "credentials")


@given(st.dictionaries(st.sampled_from(["photo", "position", "simulated"]), ANY_JSON))
@example({"position": {"lat_deg": 10**400, "lon_deg": 0}})
@example({"photo": {"exposure_us": 1, "exposed_after_press_ms": 10**400}})
def test_record_json_of_any_kind_is_compared_and_crashes_nothing(said: dict[str, Any]) -> None:
    seen = inside.look(replace(OPENED, record=said), ())

    assert seen.problems or seen.remarks


@given(st.dictionaries(st.sampled_from(TOLD), ANY_JSON), st.binary(max_size=60))
def test_no_photo_and_no_words_on_it_crash_anything(told: dict[str, Any], photo: bytes) -> None:
    record = {"photo": told, "position": told}

    assert inside.look(replace(OPENED, record=record), ()).problems
    assert inside.look(replace(OPENED, record=record, photo=photo), ()).problems


def test_other_parts_of_a_body_are_named(tmp_path: Path) -> None:
    """An expert who unpacks it must not take what lies there for the fleet's."""
    device, more = RecordMaker.begun(), tarfile.TarInfo("fleet-key.pem")
    body = recordfile.pack_body({"manifest": "off"}, None, MOMENT)
    body = body[:-1024] + more.tobuf(tarfile.USTAR_FORMAT) + bytes(1024)
    label = device.make("time", body=recordfile.describe(body)).label
    report = look(tmp_path, Made(label, recordfile.sign(label, body, device.key)))

    assert words(report) == ["what no device puts there is in its body: fleet-key.pem"]


def test_no_place_is_repeated_in_words(tmp_path: Path, camera: Camera) -> None:
    """The report goes to people who need not know where."""
    made = camera.make(exif={"place_deg": (52.51, 13.4)})

    lines = "\n".join(look(tmp_path, made).lines)
    assert not re.search(r"(?<!:)52\.5", lines)  # ":52.5" are the seconds of a time


def test_a_photo_that_nothing_describes_is_a_remark(tmp_path: Path) -> None:
    report = look(tmp_path, RecordMaker.begun().make())

    assert words(report) == ["photo.jpg has no EXIF", "record.json describes no photo"]
    assert report.verdict == "holds with remarks"


def test_credentials_by_another_authority_are_told(tmp_path: Path, camera: Camera) -> None:
    other = Camera(camera.maker, new_authority())
    report = look(tmp_path, camera.make(signer=other), camera)

    assert words(report) == ["its Content Credentials are by another authority than the given one"]


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
        supporting = SupportingFiles((authority.certificate,), (ended, below, region))
        report = examine(tmp_path.glob("*.rec"), pinned, (), supporting)
        return [each["words"] for each in report.document["records"]]

    since = (
        "a certificate of its Content Credentials has ended since, or this machine's clock is wrong"
    )
    assert judged(root) == [[since, "Content Credentials by the fleet"]] * 2
    for one in keys:
        told = str(judged(new_authority(), one))
        assert "Credentials are by another authority than the given one" in told


def test_a_photo_that_never_had_any_holds_and_says_why(tmp_path: Path, camera: Camera) -> None:
    report = look(tmp_path, camera.make(signs=False), camera)

    assert report.verdict == "holds"
    assert words(report) == ["without Content Credentials: switched off"]


def test_credentials_without_an_authority_are_not_checked(tmp_path: Path, camera: Camera) -> None:
    report = look(tmp_path, camera.make())

    assert report.verdict == "holds with remarks"
    assert report.document["records"][0]["verdict"] == "holds"
    not_checked = "who certified the Content Credentials: no --ca (1 record)"
    assert not_checked in report.document["not_checked"]


_WITHOUT_C2PA = """
import sys
import tarfile
sys.modules["c2pa"] = None
from agent.__main__ import main
sys.exit(main(["verify", sys.argv[1]]))
"""


@pytest.mark.slow
def test_all_else_is_checked_without_c2pa_and_that_is_said(tmp_path: Path, camera: Camera) -> None:
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
    for _ in range(2):
        camera.make().into(tmp_path)
    closed = examine(tmp_path.glob("*.rec"), None)
    others = examine(tmp_path.glob("*.rec"), None, IDENTITIES[:0])
    supporting = SupportingFiles(certificates.read_pem(camera.authority.pem), camera.chain)
    opened = examine(tmp_path.glob("*.rec"), None, IDENTITIES[1:], supporting)

    assert closed.verdict == others.verdict == "holds with remarks"
    assert "what is in sealed bodies: no --identity (2 records)" in closed.document["not_checked"]
    assert opened.verdict == "holds"
