"""Photos with Content Credentials: what a press leaves, and what one without them costs."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.capture import photo_credentials
from agent.capture.photo_credentials import SMALL_BYTES, why_off
from agent.config import load
from agent.errors import StorageFault
from agent.record import certificates, credentials, signing
from agent.record.credentials import Source, State
from agent.record.signing import PrivateKey
from tests.support.authority import Authority, new_authority
from tests.support.benchtop import Bench, Parts, bench
from tests.support.device import Device
from tests.support.fleet_documents import FleetOffice

ROOT = new_authority()
ANCHOR = ROOT.pem.decode()
GIGABYTE = 2**30


@dataclass
class Van:
    """A device of a fleet, as far as it is let in."""

    device: Bench

    @property
    def key(self) -> PrivateKey:
        return self.device.loop.documents.evidence.key

    def certify(self, by: Authority = ROOT, **how: Any) -> Mapping[str, Any]:
        """As sync does; the loop takes it up by itself."""
        leaf = by.issue(self.key.public_key(), "van-7", evidence=True, **how)
        text = certificates.pem((leaf, *by.above)).decode()
        answer = self.device.loop.documents.answer({"offer": "evidence", "text": text})
        self.device.tick()
        return answer

    def press(self) -> tuple[bytes, dict[str, Any]]:
        """The photo, and what the record says of it."""
        label = self.device.press()["label"]
        opened = self.device.open(label["capture_id"])
        assert opened.photo is not None
        photo: dict[str, Any] = opened.record["photo"]
        return opened.photo, photo

    @property
    def alarm(self) -> str | None:
        found: str | None = self.device.loop.status()["no_credentials"]
        return found


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
def van(
    folder: Path, parts: Parts | None = None, *, camera: str = "simulated", **policy: Any
) -> Iterator[Van]:
    settings, office = tables(folder, **policy)
    with bench(folder, parts or Parts(), **settings, camera={"kind": camera}) as device:
        device.loop.documents.answer({"offer": "fleet", "text": office.document()})
        device.tick()
        yield Van(device)


def test_a_photo_says_itself_what_label_and_record_say(tmp_path: Path) -> None:
    parts = Parts()
    with van(tmp_path, parts) as device:
        device.certify()
        parts.fix()
        label = device.device.press()["label"]
        opened = device.device.open(label["capture_id"])

    found = credentials.read(opened.photo or b"", ANCHOR)
    assert found is not None
    assert found.state is State.TRUSTED
    told = ("capture_id", "utc", "clock", "boot_id", "monotonic_ns")
    where = ("lat_deg", "lon_deg", "accuracy_m", "age_s")
    assert found.capture == {
        "v": 1,
        "device": label["device_id"],
        **{name: label[name] for name in told},
        "position": {name: opened.record["position"][name] for name in where},
    }
    assert opened.record["photo"]["credentials"] is True
    assert "credentials_missing" not in opened.record["photo"]
    assert opened.record["photo"]["bytes"] == len(opened.photo or b"")
    assert device.alarm is None


@pytest.mark.parametrize(
    ("camera", "expected"),
    [
        ("picamera2", Source.CAPTURE),
        ("v4l2", Source.COMPOSITE),
        ("simulated", Source.ALGORITHM),
    ],
)
def test_only_the_devices_own_sensor_is_a_digital_capture(
    tmp_path: Path, camera: str, expected: Source
) -> None:
    with van(tmp_path, camera=camera) as device:
        device.certify()
        photo, _ = device.press()

    found = credentials.read(photo, ANCHOR)
    assert found is not None
    assert found.source == expected
    assert ("digitalCapture" in found.source) == (camera == "picamera2")


def test_a_press_before_the_certificate_leaves_a_photo_that_says_so(tmp_path: Path) -> None:
    """It is an alarm until one has come: then the next photo has them."""
    with van(tmp_path) as device:
        fresh = device.alarm
        photo, record = device.press()
        without = device.alarm
        device.certify(ROOT.below("depot"))
        certified = device.alarm
        signed, then = device.press()

    assert (fresh, without, certified) == (None, "no evidence certificate yet", None)
    assert record["credentials"] is False
    assert record["credentials_missing"] == "no evidence certificate yet"
    assert credentials.read(photo, ANCHOR) is None
    assert then["credentials"] is True
    found = credentials.read(signed, ANCHOR)
    assert found is not None
    assert found.state is State.TRUSTED


def test_outside_its_validity_a_photo_is_kept_without(tmp_path: Path) -> None:
    with van(tmp_path) as device:
        device.certify(starts=datetime.now(UTC) + timedelta(days=3))
        photo, record = device.press()

        assert device.alarm == record["credentials_missing"] == "outside its validity"
    assert credentials.read(photo, ANCHOR) is None


def test_a_signature_that_fails_costs_no_photo(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The library fails, as it does on a picture that it cannot read."""
    with van(tmp_path) as device:
        device.certify()
        loop = device.device.loop
        photo, missing = loop.documents.credentials.sign(b"no picture", Source.CAPTURE, {})

        assert photo == b"no picture"
        assert missing is not None
        assert missing.startswith("failed: ")
        assert device.alarm == missing
        assert [one.message for one in caplog.records].count(
            f"event=credentials_missing why={missing!r} meaning=photos_are_kept_without"
        ) == 1
        assert device.press()[1]["credentials"] is True
        assert device.alarm is None


def test_a_press_does_not_wait_for_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with van(tmp_path) as device:
        device.certify()
        monkeypatch.setitem(sys.modules, "c2pa", None)  # whoever loads it now fails

        assert device.press()[1]["credentials"] is True


def test_without_the_library_photos_are_kept_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)  # as Python has what cannot be imported
    with van(tmp_path) as device:
        device.certify()
        _photo, record = device.press()

        assert record["credentials_missing"].startswith("failed: c2pa cannot be loaded; install")
        assert device.alarm == record["credentials_missing"]


def test_a_broken_key_file_ends_the_start_and_makes_no_photo(tmp_path: Path) -> None:
    """Records are signed by the same key."""
    with van(tmp_path) as device:
        key_file = device.device.layout.capture_keys / "device.pem"
    key_file.write_bytes(key_file.read_bytes()[:60])

    with pytest.raises(StorageFault, match="not a usable private key"), van(tmp_path):
        pass


def test_off_is_told_in_the_record_and_is_no_alarm(tmp_path: Path) -> None:
    with van(tmp_path, credentials="off") as device:
        device.certify()
        photo, record = device.press()

        assert record["credentials"] is False
        assert record["credentials_missing"] == "switched off"
        assert device.alarm is None
    assert credentials.read(photo, ANCHOR) is None


def test_on_the_bench_there_is_no_certificate_and_no_alarm(device: Bench) -> None:
    record = device.press()["record"]

    assert record["photo"]["credentials_missing"] == "switched off"
    assert device.loop.status()["no_credentials"] is None


@pytest.mark.parametrize(
    ("setting", "memory_bytes", "expected"),
    [
        ("auto", GIGABYTE, None),
        ("auto", SMALL_BYTES + 1, None),
        ("auto", SMALL_BYTES, "switched off: this board has 512 MB of memory or less"),
        ("on", SMALL_BYTES // 2, None),
        ("off", GIGABYTE, "switched off"),
    ],
)
def test_auto_leaves_a_small_board_its_memory(
    tmp_path: Path, setting: str, memory_bytes: int, expected: str | None
) -> None:
    settings, _office = tables(tmp_path, credentials=setting)

    assert why_off(load(Device(tmp_path, **settings).config), memory_bytes) == expected


def test_this_machine_has_some_memory() -> None:
    assert SMALL_BYTES / 8 < photo_credentials.memory_bytes() < GIGABYTE * 4096
