"""The customer's copy: the picture, and nothing of where, when and by which device."""

import json
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import cv2  # noqa: TID251 - another decoder than the filter under test
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.record import credentials
from agent.record.exif import stamp
from doorstep_backend.office.picture import MAX_SCANS, customer_copy
from doorstep_backend.office.segments import segments
from tests.support.credentialed import CertifiedDevice
from tests.support.demo_office import PICTURE
from tests.unit.agent.record.test_exif_stamp import FACTS, PLAIN

STAMPED = stamp(PLAIN, FACTS)
CHATTY = (
    STAMPED[:2]
    + b"\xff\xeb\x00\x08JP\1\2\3\4"
    + b"\xff\xfe\x00\x0adoor 17!"
    + b"\xff\xe1\x00\x08http:/"
    + STAMPED[2:]
    + b"van-17 behind the end"
)


def read(folder: Path, content: bytes) -> dict[str, Any]:
    """Return all that exiftool finds in the file, without the file system's facts."""
    assert shutil.which("exiftool"), "exiftool is missing: apt-get install libimage-exiftool-perl"
    path = folder / "copy.jpg"
    path.write_bytes(content)
    command = ["exiftool", "-json", "-a", "-G1", "-n", "-warning", "-all:all", str(path)]
    answer = subprocess.run(command, capture_output=True, check=True)
    (found,) = json.loads(answer.stdout)
    outside = ("System:", "SourceFile", "ExifTool:ExifToolVersion")
    return {name: value for name, value in found.items() if not name.startswith(outside)}


def pixels(content: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.slow
def test_exiftool_finds_no_place_time_or_device_in_the_copy(tmp_path: Path) -> None:
    before, after = read(tmp_path, CHATTY), read(tmp_path, customer_copy(CHATTY))

    assert {"GPS:GPSLatitude", "IFD0:Make", "ExifIFD:DateTimeOriginal"} <= set(before)
    assert {name.partition(":")[0] for name in after} <= {"File", "Composite"}
    assert not {name for name in after if "GPS" in name or "Comment" in name or "Date" in name}


def test_a_copy_has_no_content_credentials() -> None:
    """Content credentials name the device, the time and the place."""
    signed = CertifiedDevice().sign(STAMPED)

    copy = customer_copy(signed)

    assert b"\xff\xeb" in signed[:4]
    assert b"jumb" not in copy
    assert b"van-0042" not in copy
    assert credentials.read(copy, None) is None
    assert np.array_equal(pixels(copy), pixels(PLAIN))


def test_the_picture_is_the_same_bit_for_bit() -> None:
    copy = customer_copy(CHATTY)

    assert np.array_equal(pixels(copy), pixels(PLAIN))
    assert copy[copy.index(b"\xff\xdb") :] == PLAIN[PLAIN.index(b"\xff\xdb") :]
    assert customer_copy(copy) == copy


@pytest.mark.slow
@pytest.mark.parametrize("order", [">", "<"])
def test_a_rotation_stays_and_is_all_that_stays(tmp_path: Path, order: str) -> None:
    """A phone held upright; both byte orders that TIFF has."""
    turned = _with_orientation(order, 6)

    found = read(tmp_path, customer_copy(turned))

    assert {name: value for name, value in found.items() if name.startswith("IFD0")} == {
        "IFD0:Orientation": 6
    }
    assert "ExifTool:Warning" not in found


@pytest.mark.parametrize("scans", ["progressive", "restarts"])
def test_progressive_pictures_and_restart_markers_go_through(scans: str) -> None:
    option = (
        cv2.IMWRITE_JPEG_PROGRESSIVE if scans == "progressive" else cv2.IMWRITE_JPEG_RST_INTERVAL
    )
    done, encoded = cv2.imencode(".jpg", pixels(PLAIN), [option, 1])
    assert done

    copy = customer_copy(stamp(encoded.tobytes(), FACTS))

    assert np.array_equal(pixels(copy), pixels(encoded.tobytes()))
    assert b"Exif" not in copy


@given(st.binary(max_size=200), st.integers(0, len(CHATTY)), st.integers(0, len(CHATTY)))
def test_broken_jpeg_gets_no_copy_or_one_without_metadata(
    junk: bytes, start: int, end: int
) -> None:
    for broken in (junk, b"\xff\xd8" + junk, CHATTY[:start] + junk + CHATTY[end:]):
        try:
            copy = customer_copy(broken)
        except ValueError:
            continue
        assert customer_copy(copy) == copy


SECRET = b"door 17, code 4711"


def segment(marker: int, said: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(said) + 2).to_bytes(2, "big") + said


def with_first(*segments: bytes) -> bytes:
    """Return a photo whose encoder wrote these segments before all others."""
    return b"".join([PICTURE[:2], *segments, PICTURE[2:]])


def declared(width: int, height: int) -> bytes:
    """Return a photo whose frame declares this size."""
    at = PICTURE.index(b"\xff\xc0") + 5
    return PICTURE[:at] + struct.pack(">HH", height, width) + PICTURE[at + 4 :]


@pytest.mark.parametrize(
    "chatty",
    [
        with_first(segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0" + SECRET)),
        with_first(segment(0xE0, b"JFIF\0" + SECRET[:9])),
        with_first(segment(0xE0, b"JFXX\0" + SECRET)),
        with_first(segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + SECRET)),
        with_first(segment(0xEE, b"Adobe" + SECRET[:6] + b"\1")),
        with_first(*[segment(marker, SECRET) for marker in range(0xE0, 0xF0)]),
        with_first(segment(0xFE, SECRET)),
        PICTURE + SECRET,
    ],
)
def test_text_that_begins_like_what_tells_colours_is_no_part_of_the_copy(chatty: bytes) -> None:
    copy = customer_copy(chatty)

    assert SECRET[:6] not in copy
    assert np.array_equal(pixels(copy), pixels(PICTURE))


@pytest.mark.parametrize(
    "stuffed",
    [
        with_first(segment(0xDB, bytes((0,)) + bytes(64) + SECRET)),
        with_first(segment(0xC4, bytes((0,)) + bytes(16) + SECRET)),
        with_first(segment(0xDD, b"\0\0" + SECRET)),
        with_first(segment(0xDF, SECRET)),
        with_first(segment(0xCC, SECRET)),
        with_first(SECRET),
        PICTURE[:-2] + segment(0xC0, SECRET) + PICTURE[-2:],
    ],
)
def test_a_picture_with_text_between_or_in_its_tables_is_shown_to_nobody(stuffed: bytes) -> None:
    with pytest.raises(ValueError, match="not a"):
        customer_copy(stuffed)


def scanned(times: int) -> bytes:
    """Return a photo with its only scan so many times."""
    parts = list(segments(PICTURE))
    head, scan = b"".join(one for _, one in parts[:-2]), parts[-2][1]
    return PICTURE[:2] + head + scan * times + PICTURE[-2:]


@pytest.mark.parametrize("photo", [declared(4608, 2592), declared(64, 256), scanned(MAX_SCANS)])
def test_the_largest_the_narrowest_and_the_most_detailed_photo_is_shown(photo: bytes) -> None:
    assert customer_copy(photo)


TOO_MANY_PX = [(65500, 65500), (9217, 8), (8, 9217), (9216, 9216), (0, 48), (64, 0)]
TOO_NARROW_PX = [(64, 257), (257, 64), (1, 9216)]


@pytest.mark.parametrize(
    ("photo", "why"),
    [
        *[(declared(*size), "declares {} x {} pixels".format(*size)) for size in TOO_MANY_PX],
        *[(declared(*size), "too narrow") for size in TOO_NARROW_PX],
        (PICTURE[:2] + bytes(25_000_000 - len(PICTURE)) + PICTURE[2:], "25000000 bytes"),
        (scanned(MAX_SCANS + 1), "33 scans"),
    ],
    ids=range(len(TOO_MANY_PX) + len(TOO_NARROW_PX) + 2),
)
def test_picture_too_costly_for_its_reader_gets_no_copy(photo: bytes, why: str) -> None:
    """65500 pixels a side are 17 GB in the browser that opens them.

    Labels are searched for in a turned copy, whose area is that of the longest side squared. Two
    copies of the bytes are in memory. A decoder reads the whole picture for each scan.
    """
    with pytest.raises(ValueError, match=why):
        customer_copy(photo)


@pytest.mark.parametrize(
    "endless",
    [
        with_first(segment(0xDD, b"\0\0") * 5_000_000),
        with_first(segment(0xE0, b"") * 8_000_000),
        with_first((segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(65_000))) * 500),
        PICTURE[:-2] + b"\xff\0" * 16_000_000,
    ],
    ids=["tables", "metadata", "exif", "scan"],
)
def test_a_picture_of_32_mb_of_segments_is_refused_within_a_second(endless: bytes) -> None:
    began_s = time.process_time()

    with pytest.raises(ValueError, match="not a"):
        customer_copy(endless)

    assert time.process_time() - began_s < 1


def test_a_cut_off_jpeg_is_refused() -> None:
    for end in range(len(STAMPED)):
        with pytest.raises(ValueError, match="not a "):
            customer_copy(STAMPED[:end])


def _with_orientation(order: str, orientation: int) -> bytes:

    name = b"MM\0*" if order == ">" else b"II*\0"
    make = struct.pack(f"{order}HHI4s", 0x010F, 2, 4, b"ACM\0")
    turn = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = name + struct.pack(f"{order}IH", 8, 2) + make + turn + bytes(4)
    segment = b"Exif\0\0" + tiff
    return PLAIN[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + PLAIN[2:]
