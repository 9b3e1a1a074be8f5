"""The reader of EXIF: what the device writes is read back, and whatever else crashes nothing."""

import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.record import exif
from agent.record.exif import Exif, stamp
from agent.record.segments import SEGMENTS_LIMIT, picture_px
from tests.support.peak import peak_mb
from tests.unit.agent.record.test_exif_stamp import FACTS

PLAIN = b"\xff\xd8\xff\xdb\x00\x03!\xff\xda picture \xff\xd9"
TAKEN = datetime(2026, 12, 1, 9, 15, 2, 417_000, tzinfo=UTC)


def test_exif_of_the_device_is_read_back() -> None:
    """Instants are cut to milliseconds."""
    sydney = replace(FACTS, place_deg=(-33.8567844, 151.2152967), alt_m=-3.2)
    found = exif.read(stamp(PLAIN, sydney))

    assert found is not None
    assert found.place_deg == pytest.approx(sydney.place_deg, abs=2e-8)
    wanted = replace(sydney, taken=TAKEN, digitized=TAKEN, modified=TAKEN)
    assert replace(found, place_deg=sydney.place_deg) == wanted


def test_exif_in_the_other_byte_order_is_the_same() -> None:
    """Another program may have written it."""
    exif_at = struct.pack("<HHHII", 1, 0x8769, 4, 1, 26) + bytes(4)
    iso = struct.pack("<HHII", 0x8827, 3, 1, 210)
    exposure = struct.pack("<HHII", 0x829A, 5, 1, 56)
    tiff = b"II*\0\x08\0\0\0" + exif_at + b"\x02\0" + iso + exposure + bytes(4)
    segment = b"Exif\0\0" + tiff + struct.pack("<II", 1, 125)
    photo = b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + b"\xff\xda"

    assert exif.read(photo) == Exif(exposure_us=8000, iso=210)


@given(st.floats(-90, 90), st.floats(-180, 180))
@example(0.0, -1e-8)
def test_every_place_is_read_back_to_three_millimetres(lat_deg: float, lon_deg: float) -> None:
    found = exif.read(stamp(PLAIN, replace(FACTS, place_deg=(lat_deg, lon_deg))))

    assert found is not None
    assert found.place_deg == pytest.approx((lat_deg, lon_deg), abs=1.5e-8)


@pytest.mark.parametrize("photo", [PLAIN, b"", b"\xff\xd8", b"no picture"])
def test_a_photo_without_exif_has_none(photo: bytes) -> None:
    assert exif.read(photo) is None


def test_the_size_of_the_picture_is_that_of_its_one_frame_header() -> None:
    """A second one could show another picture to another reader."""
    frame = b"\xff\xc0\x00\x0b\x08\x00\x30\x00\x40\x01\x01\x11\x00"
    photo = PLAIN[:2] + frame + PLAIN[2:]

    assert picture_px(stamp(photo, FACTS)) == (64, 48)
    assert picture_px(PLAIN) is None
    assert picture_px(PLAIN[:2] + frame + frame + PLAIN[2:]) is None


def test_tag_that_is_there_twice_is_reported() -> None:
    """Readers differ in which of the two they believe."""
    stamped = bytearray(stamp(PLAIN, FACTS))
    at = stamped.index(b"\x90\x04\x00\x02")
    stamped[at : at + 2] = b"\x90\x03"

    with pytest.raises(ValueError, match="a tag twice"):
        exif.read(bytes(stamped))


def test_two_of_it_contradict_each_other() -> None:
    stamped = stamp(PLAIN, FACTS)
    segment = stamped[2 : stamped.index(b"\xff\xdb")]

    with pytest.raises(ValueError, match="two"):
        exif.read(stamped[:2] + segment + stamped[2:])


@pytest.mark.parametrize("at", [4, 8], ids=["count", "place"])
def test_value_beyond_its_end_is_reported(at: int) -> None:
    stamped = bytearray(stamp(PLAIN, FACTS))
    entry = stamped.index(b"\xa4\x31\x00\x02")
    stamped[entry + at : entry + at + 4] = b"\xff\xff\xff\x00"

    with pytest.raises(ValueError, match="ends before its values"):
        exif.read(bytes(stamped))


def test_exif_takes_little_memory_if_many_tags_share_one_long_value() -> None:
    """Each of these 4,000 tags names the same 15 KB, and only a few tags are compared."""
    entries = b"".join(
        tag.to_bytes(2) + b"\x00\x07" + (15_000).to_bytes(4) + (8).to_bytes(4)
        for tag in range(0x1000, 0x1FA0)
    )
    tiff = b"MM\0*\0\0\0\x08" + (4_000).to_bytes(2) + entries + bytes(4)
    segment = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2) + b"Exif\0\0" + tiff
    photo = b"\xff\xd8" + segment + b"\xff\xda"

    assert peak_mb(lambda: exif.read(photo)) < 2


@pytest.mark.parametrize("read", [exif.read, picture_px])
def test_more_segments_than_a_photo_has_are_refused(read: Callable[[bytes], object]) -> None:
    """Eight million empty ones fit into one upload, and each would take a hundred bytes."""
    empty = b"\xff\xfe\x00\x02"

    read(b"\xff\xd8" + empty * SEGMENTS_LIMIT + b"\xff\xda")
    with pytest.raises(ValueError, match="more than 256 segments"):
        read(b"\xff\xd8" + empty * (SEGMENTS_LIMIT + 1) + b"\xff\xda")


@given(st.data())
def test_garbled_exif_is_read_or_told_and_crashes_nothing(data: st.DataObject) -> None:
    """A count of four thousand million is one of these."""
    stamped = bytearray(stamp(PLAIN, FACTS))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(2, stamped.index(b"\xff\xda")))
        piece = data.draw(st.sampled_from([b"\xff" * 4, bytes(4), b"\x01", b"\x7f\xff"]))
        stamped[at : at + len(piece)] = piece
        del stamped[data.draw(st.integers(len(stamped) // 2, len(stamped))) :]
        stamped += b"\xff\xda"
    with suppress(ValueError):
        exif.read(bytes(stamped))
