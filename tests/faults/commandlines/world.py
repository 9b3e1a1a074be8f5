"""The folder of the command lines: a device, another one's card, and a backend with a record."""

import os
from pathlib import Path
from typing import Final

from agent.models import CaptureId, RecordKind
from agent.record import certificates, signing
from doorstep_backend.office import demo
from doorstep_backend.seals import Seals
from tests.support.authority import new_authority
from tests.support.backend import Backend
from tests.support.demo_office import PICTURE, DemoOffice
from tests.support.device import Device, empty_queue
from tests.support.factory import RecordMaker
from tests.support.sealed import IDENTITY_FILE, NAMES

DEVICE_ID: Final = "van-7"

CAPTURE_ID: Final = CaptureId("2b1d4f0a-9c3e-4e57-8a51-6f0e2d7c9b84")
"""Id of the one record that the backend has."""

STRANGE: Final = {
    "\udcff": bytes(4096),
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "half": b'{"a": "\xed\xa0\x80", "b": "\\ud800"}',
    "nan": b'{"version": NaN}',
    "deep": b'{"stops": ' + b"[" * 990 + b"]" * 990 + b"}",
    "strange/backend.toml": b'zone = "\xff"',
    "strange/2026-05.jsonl": b"\xff",
    "strange/\udcff.rec": b"\xff\n",
    "strange/revoked.jws": b"\xff",
    "strange/receipts": b"[" * 100_000,
}
"""Files that another program may leave, by name."""

ORDER: Final = demo.ALLOWED
"""The order that this record belongs to."""


def make(folder: Path) -> None:
    """Fill `folder`; nothing in it names the folder, so that a copy works as well."""
    folder.mkdir()
    empty_queue(folder)
    Device(folder).config.rename(folder / "device.toml")
    _trust(folder)
    records = folder / "records"
    records.mkdir()
    RecordMaker().make().into(records)
    (folder / "whole.rec").write_bytes(RecordMaker().make().content)
    (records / "\udcff.rec").write_bytes(b"torn")
    (folder / "file").write_bytes(b"\xff\x00 no text")
    (folder / "folder").mkdir()
    (folder / "strange").mkdir()
    for name, content in STRANGE.items():
        (folder / name).write_bytes(content)
    (folder / "key.pem").write_bytes(signing.private_pem(signing.new_key()))
    (folder / "route.json").write_text(
        f'{{"device_id": "{DEVICE_ID}", "stops": [], "practice_codes": []}}'
    )
    (folder / "card.img").write_bytes(bytes(4096))
    for name in ("closed", "closed-folder/file"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("closed")
    _backend(folder / "backend")


def close(folder: Path) -> None:
    """Take this user's rights to what is unreadable, in a copy; a pipe cannot be copied."""
    os.mkfifo(folder / "pipe")
    (folder / "closed").chmod(0)
    (folder / "closed-folder").chmod(0)


def reopen(folder: Path) -> None:
    """Give them back, so that the copy can be deleted."""
    (folder / "closed-folder").chmod(0o700)


def _trust(folder: Path) -> None:
    """Settings of a device that may enrol, and of a technician; nobody answers at the address."""
    authority, key = new_authority(), signing.new_key()
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "fleet-key.pem").write_bytes(signing.public_pem(signing.new_key().public_key()))
    made = certificates.pem([authority.issue(key.public_key(), "shop")])
    (folder / "client.pem").write_bytes(signing.private_pem(key) + made)
    names = {"ca": "ca.pem", "fleet_key": "fleet-key.pem"}
    device = Device(
        folder,
        identity={"mode": "required", **names},
        backend={"receipt_keys": []},
    )
    device.config.rename(folder / "enrolled.toml")
    (folder / "technician.toml").write_text(
        '[backend]\nurl = "https://127.0.0.1:9"\n[identity]\nca = "ca.pem"\n'
        'fleet_key = "fleet-key.pem"\ntechnician = "client.pem"\n'
    )


def _backend(folder: Path) -> None:
    """A folder that the backend itself has made, with one record."""
    folder.mkdir(mode=0o700)
    Seals(folder).use_given_identities(IDENTITY_FILE, NAMES)
    Backend(folder, switches=False, identity=True).start().stop()
    demo_office = DemoOffice(folder, show_simulated=True)
    stop = {
        "id": demo_office.office.orders.find(ORDER).stop_id,
        "bound_by": "code",
        "ring": "inside",
    }
    record = {"stop": stop, "simulated": False, "quality": {"verdict": "ok"}}
    demo_office.receive(
        demo_office.van.make(RecordKind.PHOTO, record, PICTURE, capture_id=CAPTURE_ID)
    )
