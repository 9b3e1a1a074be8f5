"""Photos with Content Credentials: what a press leaves, and what one without them costs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.capture.photo_credentials import why_off
from agent.capture.photo_facts import source
from agent.config import load
from agent.errors import StorageFault
from agent.record import certificates, credentials, signing
from agent.record.credentials import CredentialsState, Source
from tests.support.authority import Authority, new_authority
from tests.support.benchtop import Bench, bench
from tests.support.device import Device
from tests.support.fleet_documents import FleetOffice

ROOT = new_authority()
ANCHOR = ROOT.pem.decode()


def tables(folder: Path, **policy: Any) -> tuple[dict[str, Any], FleetOffice]:
    (folder / "ca.pem").write_bytes(ROOT.pem)
    office = FleetOffice()
    (folder / "fleet-key.pem").write_bytes(signing.public_pem(office.key.public_key()))
    settings = {
        "identity": {"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"},
        "backend": {"receipt_keys": []},
        "policy": {"manifest": "off", "seal": "off", "credentials": "on"} | policy,
    }
    return settings, office


@contextmanager
def member(folder: Path, **policy: Any) -> Iterator[Bench]:
    """A device of a fleet, as far as it is let in."""
    settings, office = tables(folder, **policy)
    with bench(folder, **settings) as device:
        device.loop.documents.answer({"offer": "fleet", "text": office.document()})
        device.tick()
        yield device


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Bench]:
    with member(tmp_path) as opened:
        yield opened


def certify(device: Bench, by: Authority = ROOT, **how: Any) -> None:
    """As sync does; the loop takes it up by itself."""
    key = device.loop.documents.evidence.key
    leaf = by.issue(key.public_key(), "van-7", evidence=True, **how)
    text = certificates.pem((leaf, *by.above)).decode()
    device.loop.documents.answer({"offer": "evidence", "text": text})
    device.tick()


def press(device: Bench) -> tuple[bytes, dict[str, Any]]:
    """Press the photo button; return the photo, and what the record says of it."""
    opened = device.open(device.press()["label"]["capture_id"])
    assert opened.photo is not None
    return opened.photo, opened.record["photo"]


def alarm(device: Bench) -> object:
    return device.loop.status()["no_credentials"]


def test_a_photo_says_itself_what_label_and_record_say(device: Bench) -> None:
    certify(device)
    device.parts.fix()
    label = device.press()["label"]
    opened = device.open(label["capture_id"])

    found = credentials.read(opened.photo or b"", ANCHOR)
    assert found is not None
    assert (found.state, found.source) == (CredentialsState.TRUSTED, Source.ALGORITHM)
    assert found.capture["capture_id"] == label["capture_id"]
    assert found.capture["position"]["lat_deg"] == opened.record["position"]["lat_deg"]
    assert opened.record["photo"]["credentials"] is True
    assert "credentials_missing" not in opened.record["photo"]
    assert opened.record["photo"]["bytes"] == len(opened.photo or b"")
    assert alarm(device) is None


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        ("picamera2", Source.CAPTURE),
        ("v4l2", Source.COMPOSITE),
        ("simulated", Source.ALGORITHM),
    ],
)
def test_only_the_devices_own_sensor_is_a_digital_capture(camera: str, expected: Source) -> None:
    assert source(camera) == expected
    assert ("digitalCapture" in expected) == (camera == "picamera2")


def test_a_press_before_the_certificate_leaves_a_photo_that_says_so(device: Bench) -> None:
    """The missing certificate is an alarm until one has come: then the next photo has it."""
    fresh = alarm(device)
    photo, record = press(device)
    without = alarm(device)
    certify(device, ROOT.below("depot"))
    certified = alarm(device)
    signed, then = press(device)

    assert (fresh, without, certified) == (None, "no evidence certificate yet", None)
    assert record["credentials"] is False
    assert record["credentials_missing"] == "no evidence certificate yet"
    assert credentials.read(photo, ANCHOR) is None
    assert then["credentials"] is True
    found = credentials.read(signed, ANCHOR)
    assert found is not None
    assert found.state is CredentialsState.TRUSTED


def test_outside_its_validity_a_photo_is_kept_without(device: Bench) -> None:
    certify(device, starts=datetime.now(UTC) + timedelta(days=3))
    photo, record = press(device)

    assert alarm(device) == record["credentials_missing"] == "outside its validity"
    assert credentials.read(photo, ANCHOR) is None


def test_a_failed_signature_costs_no_photo(device: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """The library fails, as it does on a picture that it cannot read."""
    certify(device)
    photo, missing = device.loop.documents.credentials.sign(b"no picture", Source.CAPTURE, {})

    assert photo == b"no picture"
    assert missing is not None
    assert missing.startswith("failed: ")
    assert alarm(device) == missing
    assert [one.message for one in caplog.records].count(
        f"event=credentials_missing why={missing!r} meaning=photos_are_kept_without"
    ) == 1
    assert press(device)[1]["credentials"] is True
    assert alarm(device) is None


def test_a_press_waits_for_no_library(device: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    certify(device)
    monkeypatch.setitem(sys.modules, "c2pa", None)  # whoever loads it now fails

    assert press(device)[1]["credentials"] is True


def test_photos_are_kept_without_the_library_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)  # as Python has what cannot be imported
    with member(tmp_path) as device:
        certify(device)
        _photo, record = press(device)

        assert record["credentials_missing"].startswith("failed: c2pa cannot be loaded; install")
        assert alarm(device) == record["credentials_missing"]


def test_a_broken_key_file_ends_the_start_and_makes_no_photo(tmp_path: Path) -> None:
    """Records are signed by the same key."""
    with member(tmp_path) as device:
        key_file = device.layout.capture_keys / "device.pem"
    key_file.write_bytes(key_file.read_bytes()[:60])

    with pytest.raises(StorageFault, match="not a usable private key"), member(tmp_path):
        pass


def test_off_is_in_the_record_and_is_no_alarm(tmp_path: Path) -> None:
    with member(tmp_path, credentials="off") as device:
        certify(device)
        photo, record = press(device)

        assert record["credentials"] is False
        assert record["credentials_missing"] == "switched off"
        assert alarm(device) is None
    assert credentials.read(photo, ANCHOR) is None


def test_bench_has_no_certificate_and_no_alarm(tmp_path: Path) -> None:
    with bench(tmp_path) as device:
        record = device.press()["record"]

        assert record["photo"]["credentials_missing"] == "switched off"
        assert alarm(device) is None


@pytest.mark.parametrize(
    ("setting", "expected"), [("auto", None), ("on", None), ("off", "switched off")]
)
def test_photos_of_a_fleet_have_credentials_unless_switched_off(
    tmp_path: Path, setting: str, expected: str | None
) -> None:
    """A board's memory decides nothing: a Zero 2 W's 512 MB are enough."""
    settings, _office = tables(tmp_path, credentials=setting)

    assert why_off(load(Device(tmp_path, **settings).config)) == expected
