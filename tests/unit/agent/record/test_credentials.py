"""Content Credentials: what a photo says of itself, and what an altered one is worth."""

import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import c2pa  # noqa: TID251 - to sign what no device signs
import cv2  # noqa: TID251 - to encode a photo again
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import __version__
from agent.errors import NotGenuine
from agent.record import certificates, credentials, jumbf, signing
from agent.record.credentials import Credentials, CredentialsState, PhotoSigner, Source, Unsigned
from tests.support.authority import new_authority
from tests.support.credentialed import CAPTURE, CertifiedDevice, photo
from tests.support.device import REPOSITORY
from tests.support.peak import peak_mb
from tests.support.waiting import until

VAN = CertifiedDevice()
PLAIN = photo()
SIGNED = VAN.sign(PLAIN)
ANCHOR = VAN.authority.pem.decode()

MOST_BYTES = 20_000
"""Most bytes of credentials that are sent; a photo has some 400,000."""


def worth(picture: bytes, anchor: str | None = ANCHOR) -> CredentialsState | None:
    found = credentials.read(picture, anchor)
    return None if found is None else found.state


def flipped(picture: bytes, at: int, bit: int) -> bytes:
    return picture[:at] + bytes([picture[at] ^ 1 << bit]) + picture[at + 1 :]


LOADS = """
import os, sys
sys.addaudithook(lambda name, what: name == "ctypes.dlopen" and print(what[0]))
from agent.record import credentials
credentials.load()
print(os.getcwd())
"""


def test_no_machine_code_is_taken_from_the_current_folder(tmp_path: Path) -> None:
    """The folder may be one of foreign evidence, or one that this process's user may not enter."""
    (tmp_path / "libc2pa_c.so").write_text("not machine code")

    ran = subprocess.run(
        [sys.executable, "-P", "-c", LOADS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    *loaded, folder = ran.stdout.split()
    assert any(one.endswith("/libc2pa_c.so") for one in loaded)
    assert [one for one in loaded if one.startswith(str(tmp_path))] == []
    assert folder == str(tmp_path)


def test_a_signed_photo_says_by_whom_of_what_and_when() -> None:
    found = credentials.read(SIGNED, ANCHOR)

    assert found == Credentials(
        CredentialsState.TRUSTED, (), VAN.chain, CAPTURE, Source.CAPTURE, agent=__version__
    )
    assert len(SIGNED) - len(PLAIN) < MOST_BYTES


@pytest.mark.parametrize("anchor", [None, new_authority().pem.decode()])
def test_photo_is_whole_and_by_somebody_without_the_fleets_authority(anchor: str | None) -> None:
    found = credentials.read(SIGNED, anchor)

    untrusted = ("signing certificate untrusted (signingCredential.untrusted)",)
    assert found == Credentials(
        CredentialsState.VALID, untrusted, VAN.chain, CAPTURE, Source.CAPTURE, agent=__version__
    )


def test_an_authority_below_the_root_goes_into_the_photo() -> None:
    root = new_authority("root")
    van = CertifiedDevice(authority=root.below("region").below("depot"))

    assert worth(van.sign(), root.pem.decode()) is CredentialsState.TRUSTED
    assert worth(van.sign(), ANCHOR) is CredentialsState.VALID


def test_signer_names_the_owner_and_certificate_names_the_signer() -> None:
    """A device may write another one's id: who reads compares the two."""
    signer = PhotoSigner(VAN.key, VAN.chain)

    found = credentials.read(
        signer.sign(PLAIN, Source.CAPTURE, {**CAPTURE, "device": "van-0099"}), ANCHOR
    )

    assert found is not None
    assert found.state is CredentialsState.TRUSTED
    assert found.capture["device"] == "van-0099"
    assert certificates.common_name(found.chain[0]) == "van-0042"


@settings(max_examples=150)
@given(st.integers(0, len(SIGNED) - 1), st.integers(0, 7))
def test_a_photo_with_another_bit_is_not_valid(at: int, bit: int) -> None:
    assert worth(flipped(SIGNED, at, bit)) in {CredentialsState.INVALID, None}


@pytest.mark.slow
@pytest.mark.parametrize("bit", [0, 5])
def test_not_one_byte_can_be_another(bit: int) -> None:
    """Bit 5 is what makes other letters, and a text of bytes."""
    whole = {CredentialsState.TRUSTED, CredentialsState.VALID}

    assert [at for at in range(len(SIGNED)) if worth(flipped(SIGNED, at, bit)) in whole] == []


def test_the_second_spelling_of_the_signature_says_the_same() -> None:
    """Anybody can write it, as of any ES256 signature; the record's digest is of one."""
    at = SIGNED.index(b"\xf6\x58\x40") + 3 + 32
    order = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16)
    other = order - int.from_bytes(SIGNED[at : at + 32], "big")

    respelled = SIGNED[:at] + other.to_bytes(32, "big") + SIGNED[at + 32 :]

    assert credentials.read(respelled, ANCHOR) == credentials.read(SIGNED, ANCHOR)


@pytest.mark.parametrize("altered", [SIGNED + b"\x00", SIGNED[:-1]], ids=["longer", "shorter"])
def test_a_photo_that_grew_or_shrank_is_invalid(altered: bytes) -> None:
    """The mismatch is the reason, and not the missing authority."""
    found = credentials.read(altered, None)

    assert found is not None
    assert found.state is CredentialsState.INVALID
    assert not [reason for reason in found.reasons if "untrusted" in reason]


def test_a_photo_without_its_exif_is_invalid() -> None:
    at = SIGNED.index(b"\xff\xe1")
    end = at + 2 + int.from_bytes(SIGNED[at + 2 : at + 4], "big")

    assert worth(SIGNED[:at] + SIGNED[end:]) is CredentialsState.INVALID


def test_the_manifest_of_another_photo_is_invalid() -> None:
    end = 4 + int.from_bytes(SIGNED[4:6], "big")

    assert worth(SIGNED[:end] + photo(width_px=176)[2:]) is CredentialsState.INVALID


def test_a_photo_that_is_encoded_again_has_no_manifest() -> None:
    pixels = cv2.imdecode(np.frombuffer(SIGNED, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None

    again = cv2.imencode(".jpg", pixels)[1].tobytes()

    assert credentials.read(again, ANCHOR) is None
    assert credentials.read(PLAIN, ANCHOR) is None


@settings(max_examples=100)
@given(st.binary(max_size=400), st.integers(0, 3000))
def test_photo_with_any_content_is_read_without_a_fault(junk: bytes, at: int) -> None:
    assert worth(SIGNED[:at] + junk + SIGNED[at + len(junk) :]) in {
        CredentialsState.INVALID,
        None,
    } or (junk == SIGNED[at : at + len(junk)])


@pytest.mark.parametrize("filling", [b"\xff\xfe\x00\x02", b"\x00\x00\x00\x00"])
def test_many_segments_are_searched_in_little_memory(filling: bytes) -> None:
    """Seven megabytes of them took 242 MB."""
    hostile = SIGNED[:2] + filling * 50_000 + SIGNED[2:]

    def look() -> None:
        with pytest.raises(NotGenuine):
            jumbf.form(hostile)

    assert peak_mb(look) < 1


def test_photo_longer_than_any_of_a_device_is_not_read() -> None:
    """c2pa took 62 MB for one of 27 MB."""
    largest = PLAIN + bytes(credentials.PHOTO_LIMIT_BYTES - len(PLAIN))

    assert credentials.read(largest, None) is None
    found = credentials.read(largest + b"\0", None)
    assert found is not None
    assert (found.state, found.reasons) == (
        CredentialsState.INVALID,
        ("longer than 16777216 bytes",),
    )


def test_a_manifest_of_another_form_is_not_taken_for_a_devices() -> None:
    """Other programs may put a manifest on top of the device's: whole, and not what it wrote."""
    info = c2pa.C2paSignerInfo(
        b"es256", certificates.pem(VAN.chain), signing.private_pem(VAN.key), None
    )
    again = io.BytesIO()
    builder = c2pa.Builder({})
    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    builder.sign(c2pa.Signer.from_info(info), "image/jpeg", io.BytesIO(SIGNED), again)

    found = credentials.read(again.getvalue(), ANCHOR)

    assert found is not None
    assert found.state is CredentialsState.INVALID
    assert found.chain == ()
    assert "not in the form in which a device writes them" in found.reasons[0]


@pytest.mark.parametrize("days", [-400, 400])
def test_no_photo_is_signed_outside_the_certificates_validity(days: int) -> None:
    starts = datetime.now(UTC) + timedelta(days=days)
    leaf = VAN.authority.issue(VAN.key.public_key(), "van-0042", evidence=True, starts=starts)

    with pytest.raises(Unsigned, match=r"^outside its validity$"):
        PhotoSigner(VAN.key, (leaf,)).sign(PLAIN, Source.CAPTURE, CAPTURE)


@pytest.mark.parametrize(("key", "picture"), [(signing.new_key(), PLAIN), (VAN.key, b"no picture")])
def test_a_wrong_key_or_picture_is_no_fault(key: signing.PrivateKey, picture: bytes) -> None:
    with pytest.raises(Unsigned, match=r"^failed: "):
        PhotoSigner(key, VAN.chain).sign(picture, Source.CAPTURE, CAPTURE)


@pytest.mark.slow
def test_signer_works_without_memory_that_is_written_and_run() -> None:
    """As capture's unit has it: MemoryDenyWriteExecute=yes, here by prctl(2) PR_SET_MDWE."""
    script = """
import ctypes, mmap
assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    print("denied")
from agent.record import credentials
from tests.support.credentialed import CertifiedDevice
van = CertifiedDevice()
print(credentials.read(van.sign(), van.authority.pem.decode()).state)
"""

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["denied", "trusted"]


@pytest.mark.slow
def test_photo_of_an_ended_certificate_differs_from_an_altered_one() -> None:
    """Foreign readers call both invalid: so the fleet's authority gives one without an end."""
    began = datetime.now(UTC) - timedelta(days=1)
    life = timedelta(days=1, seconds=3)
    key = VAN.key.public_key()
    leaf = VAN.authority.issue(key, "van-0042", evidence=True, starts=began, life=life)
    signed = PhotoSigner(VAN.key, (leaf,)).sign(PLAIN, Source.CAPTURE, CAPTURE)
    before = worth(signed)

    until(lambda: datetime.now(UTC) > certificates.ends(leaf) + timedelta(seconds=1), 10.0)

    assert (before, worth(signed)) == (CredentialsState.TRUSTED, CredentialsState.ENDED)
    assert [
        at
        for at in range(0, len(signed), 5)
        if worth(flipped(signed, at, 0)) is CredentialsState.ENDED
    ] == []


def test_library_gets_only_what_has_the_form_of_a_device() -> None:
    """For these 4 KB it took 396 MB, although their room alone is not a device's."""
    corpus = Path(__file__).parents[3] / "faults/fuzz/corpus/c2pa"

    found = credentials.read((corpus / "found-396-mb").read_bytes(), None)

    assert found is not None
    assert found.state is CredentialsState.INVALID
    assert found.reasons == ("they are not in the form in which a device writes them: room",)
