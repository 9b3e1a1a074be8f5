"""The page for a reader without `doorstep`: its commands, as printed there, on a real record."""

import json
import shutil
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent.models import from_rfc3339
from agent.record import signing
from agent.record.receipt import RECEIPT_TYPE
from agent.record.verify.supporting_files import REVOKED_TYPE
from tests.support.by_hand import STEPS, by_hand
from tests.support.device import Device
from tests.unit.agent.record.delivery import Delivery

pytestmark = pytest.mark.slow

_, _, _, _, _, _, LIST, RECEIPT, _, _ = STEPS


def test_the_page_checks_a_photo_of_a_real_device(delivery: Delivery) -> None:
    steps = by_hand(delivery.folder, *STEPS)
    certificate, label, key, body, inside, exif, listed, receipt, origin, chain = steps
    said: dict[str, Any] = json.loads(label[2])
    record = json.loads(inside[3])

    assert certificate == ["device.pem: OK", "subject=CN=van-7"]
    assert (label[0], said) == ("Verified OK", delivery.label)
    assert set(json.loads(label[1])) == {"alg", "kid", "jwk"}
    assert key == [json.loads(label[1])["kid"]]
    assert body[0].split()[0] == said["body"]["sha256"]
    assert [line.split()[-1] for line in inside[:2]] == ["record.json", "photo.jpg"]
    assert inside[2].split()[0] == record["photo"]["sha256"]
    assert '"simulated":true' in inside[3]
    assert exif[0].split()[-1] == said["capture_id"].replace("-", "")
    assert exif[1].split()[-1] == "van-7"
    assert json.loads(listed[1])["typ"] == "doorstep-revoked"
    assert json.loads(listed[2])["revoked"] == []
    assert listed[0] == receipt[0] == "Verified OK"
    header = json.loads(receipt[1])
    assert header["typ"] == "doorstep-receipt"
    assert listed[3:] == [f'{header["kid"]} "until":null']
    assert json.loads(receipt[2])["sha256"] == receipt[3].split()[0]
    assert origin[0].endswith("algorithmicMedia")
    line = delivery.record.read_bytes().partition(b"\n")[0]
    assert chain[0].split()[0] == sha256(line).hexdigest()


def test_time_and_place_can_be_compared_by_hand(delivery: Delivery) -> None:
    *_, inside, (_, _, taken, place) = by_hand(delivery.folder, *STEPS[:6])
    record = json.loads(inside[3])
    photo, position = record["photo"], record["position"]
    after = timedelta(
        milliseconds=photo["exposed_after_press_ms"], microseconds=photo["exposure_us"]
    )

    when = datetime.strptime(taken.partition(": ")[2], "%Y:%m:%d %H:%M:%S.%f%z")
    apart = when - from_rfc3339(delivery.label["utc"]) - after
    assert abs(apart) <= timedelta(milliseconds=5)
    assert place.endswith(f": {position['lat_deg']:+.7f}, {position['lon_deg']:+.7f}")


def test_first_line_of_a_receipt_is_read_by_hand(photo: Path) -> None:
    with (photo / "receipt.jws").open("a") as file:
        file.write("another.signed.statement\n")

    _, receipt = by_hand(photo, LIST, RECEIPT)

    assert receipt[0] == "Verified OK"


def test_retired_keys_have_their_end_by_hand(delivery: Delivery, photo: Path) -> None:
    """Only those of receipts: what else a document of the fleet names signs none."""
    old, new, other = (signing.new_key() for _ in range(3))
    ends = (old, "2026-12-01T10:00:00.000Z"), (new, None)
    keys = [{"jwk": signing.jwk(key.public_key()), "until": until} for key, until in ends]
    said = {"receipt_keys": keys, "manifest_keys": [{"jwk": signing.jwk(other.public_key())}]}
    (photo / "revoked.jws").write_text(signing.sign(said, delivery.key, typ=REVOKED_TYPE))
    (photo / "fleet-key.pem").write_bytes(signing.public_pem(delivery.key.public_key()))
    (photo / "receipt.jws").write_text(signing.sign({}, old, typ=RECEIPT_TYPE))

    listed, receipt = by_hand(photo, LIST, RECEIPT)

    kids = [signing.thumbprint(key.public_key()) for key in (old, new)]
    assert receipt[0] == "Verified OK"
    assert listed[3:] == [f'{kids[0]} "until":"{ends[0][1]}"', f'{kids[1]} "until":null']


def test_doorstep_verify_says_the_same(delivery: Delivery, tmp_path: Path) -> None:
    """With the backend's own list, receipt, certificate and authority."""
    folder = tmp_path / "evidence"
    (folder / "receipts").mkdir(parents=True)
    for name in ("device.pem", "fleet-ca.pem"):
        shutil.copy(delivery.folder / name, folder)
    shutil.copy(delivery.record, folder)
    shutil.copy(delivery.folder / "receipt.jws", folder / "receipts")
    shutil.copy(delivery.folder / "revoked.jws", folder)
    given = {"ca": delivery.backend.ca_file, "fleet-key": delivery.backend.fleet_key_file}
    given["identity"] = delivery.folder / "identity.txt"
    words = [word for name, path in given.items() for word in (f"--{name}", str(path))]
    told = Device(tmp_path / "elsewhere").run("verify", str(folder), *words, "--json")

    (record,) = json.loads(told.stdout)["records"]
    assert record["words"][0] == "it says that a part of its device was simulated"
    assert record["verdict"] == "holds with remarks", told.stdout
    assert [each for each in record["words"] if each.startswith("received ")]
    assert json.loads(told.stdout)["not_checked"] == [
        "whether records are missing at the end of a chain: no folder can show that"
    ]
