"""Attempts of a forger against an expert who checks a record by the page's commands."""

import io
import json
import subprocess
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from agent.record import certificates, sealing, signing
from agent.record import file as recordfile
from agent.record.receipt import RECEIPT_TYPE
from agent.record.verify.supporting_files import REVOKED_TYPE
from doorstep_backend.identity.authority import Authority
from tests.support.by_hand import STEPS, by_hand
from tests.support.factory import decoded, encoded, signed_by_hand
from tests.support.sealed import RECIPIENTS, unpack
from tests.unit.agent.record.delivery import Delivery

pytestmark = pytest.mark.slow

CERTIFICATE, LABEL, _, _, INSIDE, _, LIST, RECEIPT, _, _ = STEPS

IS_OURS, IS_SIGNED = "device.pem: OK", "Verified OK"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_untouched_one_passes(photo: Path) -> None:
    """Otherwise the tests below would prove nothing."""
    before = contents(photo)
    steps = by_hand(photo, CERTIFICATE, LABEL, LIST, RECEIPT)

    assert [lines[0] for lines in steps] == [IS_OURS, IS_SIGNED, IS_SIGNED, IS_SIGNED]
    assert contents(photo) == before


@pytest.mark.parametrize("place", [300, 700])
def test_an_altered_label_does_not_verify(photo: Path, place: int) -> None:
    content = bytearray((photo / "photo.rec").read_bytes())
    content[place] ^= 1
    (photo / "photo.rec").write_bytes(content)

    assert IS_SIGNED not in by_hand(photo, CERTIFICATE, LABEL)[1]


def test_a_label_of_another_key_does_not_verify(delivery: Delivery, photo: Path) -> None:
    """The other key is in its own header, as in each label."""
    body = (photo / "photo.rec").read_bytes().partition(b"\n")[2]
    forged = signing.sign(delivery.label, signing.new_key(), embed_key=True)
    (photo / "photo.rec").write_bytes(forged.encode() + b"\n" + body)

    assert IS_SIGNED not in by_hand(photo, CERTIFICATE, LABEL)[1]


def test_an_overlong_signature_does_not_verify(photo: Path) -> None:
    """With junk between its two numbers."""
    signed, _, signature = (photo / "receipt.jws").read_text().strip().rpartition(".")
    raw = decoded(signature)
    (photo / "receipt.jws").write_text(f"{signed}.{encoded(raw[:32] + b'junk' + raw[32:])}")

    assert IS_SIGNED not in by_hand(photo, LIST, RECEIPT)[1]


@pytest.mark.parametrize("behind", [".AAAA", "!", "==junk"])
def test_nothing_follows_a_signature(photo: Path, behind: str) -> None:
    token = (photo / "receipt.jws").read_text().strip()
    (photo / "receipt.jws").write_text(f"{token}{behind}\n")

    assert IS_SIGNED not in by_hand(photo, LIST, RECEIPT)[1]


def test_unverified_record_is_not_shown(photo: Path) -> None:
    """The record could contain the words of a verified one."""
    header = encoded(b"{}\nVerified OK\n")
    rest = (photo / "receipt.jws").read_text().partition(".")[2]
    (photo / "receipt.jws").write_text(f"{header}.{rest}")

    assert IS_SIGNED not in by_hand(photo, "signed_by fleet-key.pem receipt.jws")[0]


def authority(ca: trustme.CA, folder: Path) -> Authority:
    """As the backend has its own: in files."""
    folder.mkdir()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ca.private_key_pem.write_to_path(folder / "ca-key.pem")
    return Authority.of(folder)


def test_an_authority_of_the_computer_is_not_the_fleets(
    delivery: Delivery, photo: Path, tmp_path: Path
) -> None:
    ca, trusted = trustme.CA(), tmp_path / "trusted"
    issued = authority(ca, tmp_path / "other").evidence("van-7", delivery.key.public_key())
    (photo / "device.pem").write_bytes(certificates.pem([issued]))
    trusted.mkdir()
    ca.cert_pem.write_to_path(trusted / "ca.pem")
    subprocess.run(["openssl", "rehash", trusted], check=True)

    careless = "openssl verify -CAfile fleet-ca.pem device.pem"
    both = by_hand(photo, careless, CERTIFICATE, SSL_CERT_DIR=str(trusted))

    assert [IS_OURS in lines for lines in both] == [True, False]


def test_a_certificate_for_tls_signs_nothing(delivery: Delivery, photo: Path) -> None:
    fleet = Authority.of(delivery.backend.ca_file.parent)
    issued = fleet.tls("van-7", delivery.key.public_key(), datetime.now(UTC))
    (photo / "device.pem").write_bytes(certificates.pem([issued]))

    assert IS_OURS not in by_hand(photo, CERTIFICATE)[0]


def test_certificates_in_between_are_followed(
    delivery: Delivery, photo: Path, tmp_path: Path
) -> None:
    top = trustme.CA()
    between = authority(top.create_child_ca(), tmp_path / "between")
    issued = between.evidence("van-7", delivery.key.public_key())
    (photo / "device.pem").write_bytes(certificates.pem([issued, between.certificate]))
    without = by_hand(photo, CERTIFICATE)[0]
    top.cert_pem.write_to_path(photo / "fleet-ca.pem")
    certificate, label = by_hand(photo, CERTIFICATE, LABEL)

    assert IS_OURS not in without
    assert (certificate[0], label[0]) == (IS_OURS, IS_SIGNED)


def evil_tar(members: dict[str, bytes]) -> bytes:
    """With a link behind its files."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            told = tarfile.TarInfo(name)
            told.size = len(content)
            tar.addfile(told, io.BytesIO(content))
        link = tarfile.TarInfo("photo.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "../photo/fleet-key.pem"
        tar.addfile(link)
    return into.getvalue()


def test_a_record_replaces_nothing_that_it_is_checked_with(delivery: Delivery, photo: Path) -> None:
    """By a device's own key: it brings a fleet, a list and a receipt of the forger's."""
    inside = unpack((photo / "photo.rec").read_bytes())
    own = {"record.json": json.dumps(inside.record).encode(), "photo.jpg": inside.photo or b""}
    evil = dict.fromkeys(contents(photo), b"evil")
    body = sealing.seal(evil_tar(own | evil), RECIPIENTS)
    label = replace(inside.label, body=recordfile.describe(body, sealing.SEALED_TYPE))
    (photo / "photo.rec").write_bytes(recordfile.sign(label, body, delivery.key))
    before = contents(photo)

    steps = by_hand(photo, *STEPS[:4], INSIDE)

    assert steps[1][0] == IS_SIGNED
    assert contents(photo) == before
    kinds = [line[0] for line in steps[4][: len(own | evil) + 1]]
    assert kinds == ["-"] * len(own | evil) + ["l"]


def test_an_invented_receipt_does_not_verify(photo: Path) -> None:
    """Its key lies ready under a name that fits."""
    forger = signing.new_key()
    public, forged = forger.public_key(), signing.sign({}, forger, typ=RECEIPT_TYPE)
    (photo / f"receipt-{signing.thumbprint(public)}.pem").write_bytes(signing.public_pem(public))
    (photo / "receipt.jws").write_text(forged)

    assert IS_SIGNED not in by_hand(photo, LIST, RECEIPT)[1]


@pytest.mark.parametrize("kid", ["device-key", "../device-key", "x/../device-key"])
def test_no_device_signs_its_own_receipt(delivery: Delivery, photo: Path, kid: str) -> None:
    header = f'{{"alg":"ES256","kid":"{kid}"}}'.encode()
    (photo / "receipt.jws").write_text(signed_by_hand(header, b"{}", delivery.key))

    assert IS_SIGNED not in by_hand(photo, CERTIFICATE, LABEL, LIST, RECEIPT)[3]


def test_a_list_that_is_not_the_fleets_names_no_key(photo: Path) -> None:
    forger = signing.new_key()
    keys = [{"jwk": signing.jwk(forger.public_key()), "until": None}]
    listed = signing.sign({"receipt_keys": keys}, forger, typ=REVOKED_TYPE)
    (photo / "revoked.jws").write_text(listed)
    (photo / "receipt.jws").write_text(signing.sign({}, forger, typ=RECEIPT_TYPE))

    for lines in by_hand(photo, LIST, RECEIPT):
        assert IS_SIGNED not in lines
