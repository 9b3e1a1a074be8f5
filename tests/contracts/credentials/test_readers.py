"""Photos of a device, read by programs of other people."""

import subprocess
from pathlib import Path

import cv2  # noqa: TID251 - to encode a photo again
import numpy as np
import pytest

from agent.record import credentials
from agent.record.credentials import CredentialsState
from tests.contracts.credentials.readers import judged
from tests.support.authority import new_authority
from tests.support.credentialed import CAPTURE, CertifiedDevice, photo

pytestmark = pytest.mark.slow

VAN = CertifiedDevice()
BELOW = CertifiedDevice(authority=VAN.authority.below("depot"))
PLAIN = photo()
SIGNED = VAN.sign(PLAIN)
ANCHOR = VAN.authority.pem.decode()

EVERY = 7
"""Which bytes are altered: enough for a minute, and none in step with the structure."""


def test_readers_all_trust_it_with_the_fleets_authority() -> None:
    for found in judged([SIGNED, BELOW.sign(PLAIN)], ANCHOR):
        assert (found.wasm, found.typescript) == ("Trusted", "Valid")
        assert [one["data"] for one in found.said if one["label"] == credentials.LABEL] == [CAPTURE]


@pytest.mark.parametrize("anchor", [None, new_authority().pem.decode()])
def test_readers_all_find_it_valid_without_the_authority(anchor: str | None) -> None:
    (found,) = judged([SIGNED], anchor)

    assert (found.wasm, found.typescript) == ("Valid", "Valid")


def test_readers_find_an_altered_photo_invalid() -> None:
    exif = SIGNED.index(b"\xff\xe1")
    behind = exif + 2 + int.from_bytes(SIGNED[exif + 2 : exif + 4], "big")
    manifest = 4 + int.from_bytes(SIGNED[4:6], "big")
    altered = {
        "a byte more": SIGNED + b"\x00",
        "a byte less": SIGNED[:-1],
        "without EXIF": SIGNED[:exif] + SIGNED[behind:],
        "another picture": SIGNED[:manifest] + photo(width_px=176)[2:],
    }

    for what, found in zip(altered, judged(altered.values(), ANCHOR), strict=True):
        assert (found.wasm, found.typescript) == ("Invalid", "Invalid"), what


def test_photo_encoded_again_or_never_signed_has_no_manifest() -> None:
    pixels = cv2.imdecode(np.frombuffer(SIGNED, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None

    found = judged([cv2.imencode(".jpg", pixels)[1].tobytes(), PLAIN], ANCHOR)

    assert [(one.wasm, one.typescript) for one in found] == [("None", "None")] * 2


def test_no_other_byte_changes_what_they_are_told() -> None:
    """They pass over a thousand bytes that say nothing; a device's own form has none such."""
    (whole,) = judged([SIGNED], ANCHOR)
    places = range(0, len(SIGNED), EVERY)
    altered = [_flipped(at) for at in places]
    passed_over = 0

    for at, picture, found in zip(places, altered, judged(altered, ANCHOR), strict=True):
        if {found.wasm, found.typescript} & {"Trusted", "Valid"}:
            passed_over += 1
            assert at < 4 + int.from_bytes(SIGNED[4:6], "big"), "behind the manifest all is covered"
            assert found.wasm != "Trusted" or found.said == whole.said
            own = credentials.read(picture, ANCHOR)
            assert own is None or own.state is CredentialsState.INVALID
    assert passed_over * EVERY < 1_500


@pytest.mark.parametrize("picture", [SIGNED, VAN.sign(photo(2304, 1296))], ids=["small", "large"])
def test_exiftool_finds_nothing_to_say(tmp_path: Path, picture: bytes) -> None:
    (tmp_path / "signed.jpg").write_bytes(picture)

    said = subprocess.run(
        ["exiftool", "-validate", "-warning", "-a", tmp_path / "signed.jpg"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.split() == ["Validate", ":", "OK"]


def _flipped(at: int) -> bytes:
    return SIGNED[:at] + bytes([SIGNED[at] ^ 1 << at % 8]) + SIGNED[at + 1 :]
