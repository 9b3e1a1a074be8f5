"""The customer's copy: the picture, and nothing of where, when and by which device."""

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import cv2  # noqa: TID251 - another decoder than the filter under test
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture import exif
from tests.agent.capture.test_exif import FACTS, PLAIN
from tests.backend.office.picture import customer_copy

STAMPED = exif.stamp(PLAIN, FACTS)
CHATTY = (
    STAMPED[:2]
    + b"\xff\xeb\x00\x08JP\1\2\3\4"
    + b"\xff\xfe\x00\x0adoor 17!"
    + b"\xff\xe1\x00\x08http:/"
    + STAMPED[2:]
    + b"van-17 behind the end"
)


def read(folder: Path, content: bytes) -> dict[str, Any]:
    """All that exiftool finds in the file, but for what the file system says."""
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


def test_exiftool_finds_no_place_time_or_device_in_the_copy(tmp_path: Path) -> None:
    before, after = read(tmp_path, CHATTY), read(tmp_path, customer_copy(CHATTY))

    assert {"GPS:GPSLatitude", "IFD0:Make", "ExifIFD:DateTimeOriginal"} <= set(before)
    assert {name.partition(":")[0] for name in after} <= {"File", "Composite"}
    assert not {name for name in after if "GPS" in name or "Comment" in name or "Date" in name}


def test_the_picture_is_the_same_bit_for_bit() -> None:
    copy = customer_copy(CHATTY)

    assert np.array_equal(pixels(copy), pixels(PLAIN))
    assert copy[copy.index(b"\xff\xdb") :] == PLAIN[PLAIN.index(b"\xff\xdb") :]
    assert customer_copy(copy) == copy


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

    copy = customer_copy(exif.stamp(encoded.tobytes(), FACTS))

    assert np.array_equal(pixels(copy), pixels(encoded.tobytes()))
    assert b"Exif" not in copy


@given(st.binary(max_size=200), st.integers(0, len(CHATTY)), st.integers(0, len(CHATTY)))
def test_what_is_no_whole_jpeg_is_shown_to_nobody(junk: bytes, start: int, end: int) -> None:
    """Whatever the bytes: a ValueError, or a copy in which no segment with metadata is left."""
    for broken in (junk, b"\xff\xd8" + junk, CHATTY[:start] + junk + CHATTY[end:]):
        try:
            copy = customer_copy(broken)
        except ValueError:
            continue
        assert customer_copy(copy) == copy


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
