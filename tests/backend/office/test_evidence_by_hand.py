"""The steps of an evidence folder's README.txt, done by hand, and attempts of forgers."""

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

import pytest

from agent.models import RecordLabel, rfc3339
from agent.record import certificates, signing
from agent.record import file as recordfile
from agent.record.receipt import RECEIPT_TYPE
from agent.record.verify.supporting_files import REVOKED_TYPE
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR
from tests.support.by_hand import TOOLS, by_hand
from tests.support.demo_office import NOON, PICTURE
from tests.support.sealed_fleet import SealedFleet

pytestmark = pytest.mark.slow

IS_OURS, IS_SIGNED = "evidence.pem: OK", "Verified OK"


def blocks(fleet: SealedFleet) -> list[str]:
    """Return the commands of README.txt: that of `doorstep verify`, the tools, and each step."""
    paragraphs = fleet.read("README.txt").split("\n\n")
    return [dedent(one) for one in paragraphs if re.fullmatch(r"(    .*\n?)+\n*", one)]


def hand(
    fleet: SealedFleet, handed_out_by: SealedFleet | None = None, **environment: str
) -> list[list[str]]:
    """Return the output of each step; the last one opens the record.

    Root and key are `fleet`'s, from elsewhere; the folder may be another's.
    """
    folder = handed_out_by or fleet
    _, tools, *steps = blocks(folder)
    given = {
        "ROOT": fleet.folder / "ca/ca.pem",
        "KEY": fleet.folder / "fleet-key.pem",
        "DEVICE": fleet.folder / "device.pem",
        "IDENTITY": next((fleet.folder / "keys/identities").iterdir()),
    }
    words = re.compile(rf"\b({'|'.join(given)})\b")
    steps = [words.sub(lambda word: str(given[word[1]]), step) for step in steps]
    return by_hand(folder.out, *steps, tools=tools, **environment)


def test_the_tools_in_the_readme_are_those_of_the_page(fleet: SealedFleet) -> None:
    fleet.export(fleet.take(fleet.sealed()).label.capture_id)

    assert blocks(fleet)[1].strip() == TOOLS.strip()


def test_commands_of_the_readme_print_what_the_readme_says(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())
    following = fleet.take(fleet.sealed(LEFT_DOOR))
    fleet.export(made.label.capture_id)
    names = fleet.names()

    same, certificate, label, listed, receipt, digest, opened = hand(fleet)

    assert same == []
    assert certificate == [IS_OURS, f"subject=CN={made.label.device_id}"]
    assert label[0] == listed[0] == receipt[0] == IS_SIGNED
    header, said = json.loads(label[1]), json.loads(label[2])
    assert (set(header), said) == ({"alg", "kid", "jwk"}, made.label.payload())
    assert label[3].split()[0] == said["body"]["sha256"]
    assert json.loads(listed[1])["typ"] == "doorstep-fleet"
    assert listed[-1] == header["kid"]
    assert json.loads(receipt[1])["typ"] == "doorstep-receipt"
    assert listed[3] == f'{json.loads(receipt[1])["kid"]} "until":null'
    assert json.loads(receipt[2])["sha256"] == receipt[3].split()[0]
    assert digest[0].split()[0] == following.label.prev
    assert [line.split()[-1] for line in opened[:2]] == ["record.json", "photo.jpg"]
    assert opened[2].split()[0] == hashlib.sha256(PICTURE).hexdigest()
    assert json.loads(opened[3])["simulated"] is False
    assert fleet.names() == names


def test_commands_of_the_readme_find_a_revoked_key_in_the_list(fleet: SealedFleet) -> None:
    made, documents = fleet.take(fleet.sealed()), FleetDocuments(fleet.folder)
    kid = signing.thumbprint(fleet.demo_office.van.key.public_key())
    fleet.demo_office.office.revoked_keys.add(kid, made.label.device_id, NOON)
    said = fleet.demo_office.office.revoked_keys.payload() | {
        "receipt_keys": documents.receipt_keys()
    }
    token = signing.sign(said, documents.fleet_key(), typ=REVOKED_TYPE)
    (fleet.folder / "revoked.jws").write_text(token)
    fleet.export(made.label.capture_id)

    _, _, _, listed, receipt, *_ = hand(fleet)

    assert 'and "typ" is doorstep-revoked' in fleet.read("README.txt")
    assert json.loads(listed[2])["revoked"][0]["kid"] == listed[-1] == kid
    assert listed[0] == receipt[0] == IS_SIGNED


def test_commands_of_the_readme_verify_an_unsealed_record_by_its_key(tmp_path: Path) -> None:
    fleet = SealedFleet(tmp_path / "backend", identity=False)
    made = fleet.take(fleet.demo_office.photo(ALLOWED))
    public = fleet.demo_office.van.key.public_key()
    (fleet.folder / "device.pem").write_bytes(signing.public_pem(public))
    fleet.export(made.label.capture_id)

    _, _, label, listed, receipt, _, opened = hand(fleet)

    assert label[0] == listed[0] == receipt[0] == IS_SIGNED
    assert listed[-1] == signing.thumbprint(public)
    assert opened[2].split()[0] == hashlib.sha256(PICTURE).hexdigest()


def test_commands_of_the_readme_verify_that_a_body_was_erased(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())
    fleet.demo_office.office.opt_out_order(ALLOWED, True)
    fleet.export(made.label.capture_id)

    *_, receipt, digest, erased = hand(fleet)

    assert (receipt[0], erased[0]) == (IS_SIGNED, IS_SIGNED)
    assert digest[0].split()[0] == made.label_sha256
    assert json.loads(erased[1])["typ"] == "doorstep-erased"
    assert json.loads(erased[2])["capture_id"] == made.label.capture_id


def invent(fleet: SealedFleet, label: RecordLabel) -> None:
    """Put a forger's record and receipt into the folder, and keys where they might be taken."""
    key, body = signing.new_key(), b"invented"
    content = recordfile.sign(replace(label, body=recordfile.describe(body)), body, key)
    (fleet.out / f"{label.capture_id}.rec").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    said = {"capture_id": label.capture_id, "sha256": digest, "received_at": rfc3339(NOON)}
    receipt = signing.sign(said, key, typ=RECEIPT_TYPE)
    (fleet.out / f"receipts/{label.capture_id}.jws").write_text(receipt)
    for name in ("device-key.pem", f"receipt-{signing.thumbprint(key.public_key())}.pem"):
        (fleet.out / name).write_bytes(signing.public_pem(key.public_key()))


def test_commands_of_the_readme_refuse_an_invented_record(fleet: SealedFleet) -> None:
    made = fleet.take(fleet.sealed())
    fleet.export(made.label.capture_id)
    invent(fleet, made.label)

    same, certificate, label, listed, receipt, *_ = hand(fleet)

    assert (same, certificate[0], listed[0]) == ([], IS_OURS, IS_SIGNED)
    assert IS_SIGNED not in label + receipt


def test_commands_of_the_readme_refuse_a_certificate_for_tls(fleet: SealedFleet) -> None:
    fleet.export(fleet.take(fleet.sealed()).label.capture_id)
    van = fleet.demo_office.van
    ca, now = Authority.of(fleet.folder / "ca"), datetime.now(UTC)
    issued = ca.tls(van.device_id, van.key.public_key(), now)
    (fleet.out / "evidence.pem").write_bytes(certificates.pem([issued]))

    assert IS_OURS not in hand(fleet)[1]


def test_commands_of_the_readme_refuse_a_record_of_another_fleet(
    fleet: SealedFleet, tmp_path: Path
) -> None:
    """The folder of an invented fleet agrees in itself, and the computer may even trust its CA."""
    (tmp_path / "another").mkdir()
    another = SealedFleet(tmp_path / "another/backend")
    another.export(another.take(another.sealed()).label.capture_id)

    trusted = tmp_path / "trusted"
    trusted.mkdir()
    shutil.copy(another.folder / "ca/ca.pem", trusted)
    subprocess.run(["openssl", "rehash", trusted], check=True)

    passed = hand(another)
    found = hand(fleet, another, SSL_CERT_DIR=str(trusted))
    same, certificate, _, listed, receipt, *_ = found

    assert [lines[0] for lines in passed[1:5]] == [IS_OURS, *[IS_SIGNED] * 3]
    assert ["differ" in line for line in same] == [True, True]
    assert IS_OURS not in certificate
    assert IS_SIGNED not in listed + receipt
