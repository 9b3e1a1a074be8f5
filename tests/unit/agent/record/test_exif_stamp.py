"""EXIF is written by code of ours, so other people's readers say whether it is right."""

import json
import math
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import piexif  # noqa: TID251 - another reader of what is written
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture import jpeg
from agent.record.exif import Exif, stamp
from tests.support.photographed import NO_PLACE
from tests.support.roads import apart_m

TAKEN: Final = datetime(2026, 12, 1, 9, 15, 2, 417_999, tzinfo=UTC)
FIXED: Final = datetime(2026, 12, 1, 9, 15, 1, 59_000, tzinfo=UTC)
FACTS: Final = Exif(
    taken=TAKEN,
    digitized=TAKEN,
    modified=TAKEN,
    unique_id="0b9ff0d26a0e4a539d290c4f5b0c8c11",
    serial="van-17",
    software="doorstep 2026.11.0",
    model="Doorstep picamera2",
    size_px=(64, 48),
    exposure_us=8000,
    iso=210,
    place_deg=(52.5200066, 13.404954),
    alt_m=34.2,
    accuracy_m=9.5,
    hdop=1.1,
    satellites="9",
    mode="3",
    status="A",
    datum="WGS-84",
    method="GPS",
    fix_utc=FIXED,
)
PLAIN: Final = jpeg.encode(
    np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8), 85
)
HARD_PLACES: Final = [
    (90.0, 180.0),
    (-90.0, -180.0),
    (0.0, 0.0),
    (-0.0, -0.0),
    (12.999999999, -77.999999999),
    (-33.9999999, 151.0166666),
    (1 / 60, -1 / 3600),
    (0.00000001, -0.00000001),
    (10.0 + 59.99999 / 60, 179.0 + 59.99999 / 60),
]


def test_the_picture_itself_stays_byte_for_byte() -> None:
    """Only the leading segments change; tables and scan are those the encoder wrote."""
    tables = PLAIN.index(b"\xff\xdb")

    stamped = stamp(PLAIN, FACTS)

    assert stamped.endswith(PLAIN[tables:])
    assert stamped[:4] == b"\xff\xd8\xff\xe1"
    assert stamped.count(b"JFIF\x00") == 0


def test_a_second_stamp_replaces_the_first() -> None:
    """Two EXIF segments in one file contradict each other."""
    moved = replace(FACTS, place_deg=(48.0, 13.404954))

    assert stamp(stamp(PLAIN, moved), FACTS) == stamp(PLAIN, FACTS)


@given(lat_deg=st.floats(-90, 90), lon_deg=st.floats(-180, 180))
def test_a_place_is_kept_to_a_few_millimetres(lat_deg: float, lon_deg: float) -> None:
    """Over the whole globe, poles and date line included; 60 seconds never appear."""
    gps = _tags(stamp(PLAIN, replace(FACTS, place_deg=(lat_deg, lon_deg))))["gps"]

    for angle in (gps[2], gps[4]):
        assert angle[1] < 60
        assert angle[2] < 60
    assert apart_m((lat_deg, lon_deg), _place(gps)) < 0.01


@pytest.mark.parametrize("place", HARD_PLACES)
def test_a_hard_place_is_kept_to_a_few_millimetres(place: tuple[float, float]) -> None:
    """Values that rounding, signs and limits could corrupt."""
    gps = _tags(stamp(PLAIN, replace(FACTS, place_deg=place)))["gps"]

    assert apart_m(place, _place(gps)) < 0.01


@given(st.datetimes(datetime(1970, 1, 1), datetime(2106, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - the zone is added below
def test_times_come_back_to_the_millisecond(local: datetime, offset_min: int) -> None:
    """In UTC, whatever zone they were given in: the photo's and the fix's own."""
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    wanted = moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)

    tags = _tags(stamp(PLAIN, replace(FACTS, taken=moment, fix_utc=moment)))

    exif, gps = tags["exif"], tags["gps"]
    taken = f"{exif[0x9003]}.{exif[0x9291]}{exif[0x9011]}"
    assert datetime.strptime(taken, "%Y:%m:%d %H:%M:%S.%f%z") == wanted
    day = datetime.strptime(gps[29] + "+0000", "%Y:%m:%d%z")
    hours, minutes, seconds = gps[7]
    of_day = timedelta(hours=int(hours), minutes=int(minutes), milliseconds=int(seconds * 1000))
    assert day + of_day == wanted


def test_unknown_value_has_no_tag() -> None:
    """A zero would be a claim: it is void, V, if there was no fix."""
    tags = _tags(stamp(PLAIN, Exif(model="", status="V")))

    assert 0x0110 not in tags["image"]
    assert tags["exif"].keys() == {0x9000, 0x9101, 0xA000, 0xA001}
    assert tags["gps"] == {0: (2, 3, 0, 0), 9: "V"}


def test_the_facts_of_the_press_are_written() -> None:
    """Each where its standard has a place for it."""
    tags = _tags(stamp(PLAIN, FACTS))

    assert tags["exif"][0xA420] == "0b9ff0d26a0e4a539d290c4f5b0c8c11"
    assert tags["exif"][0xA431] == "van-17"
    assert tags["exif"][0x829A] == [Fraction(1, 125)]
    assert tags["exif"][0x8827] == 210
    assert (tags["exif"][0xA002], tags["exif"][0xA003]) == (64, 48)
    assert tags["image"][0x0131] == "doorstep 2026.11.0"
    assert tags["gps"][6] == [Fraction(342, 10)]
    assert tags["gps"][31] == [Fraction(95, 10)]
    assert tags["gps"][27] == b"ASCII\x00\x00\x00GPS"


def test_altitude_below_the_sea_has_its_own_sign() -> None:
    """A rational has none."""
    gps = _tags(stamp(PLAIN, replace(FACTS, alt_m=-3.5)))["gps"]

    assert (gps[5], gps[6]) == (1, [Fraction(7, 2)])


def test_text_that_exif_cannot_hold_does_not_stop_a_photo() -> None:
    """Umlauts, emoji, NUL and line ends become question marks."""
    facts = replace(FACTS, software="Müller & Söhne", model="cam\x00\n\U0001f4e6")

    image = _tags(stamp(PLAIN, facts))["image"]

    assert (image[0x0131], image[0x0110]) == ("M?ller & S?hne", "cam???")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"place_deg": (90.0001, 0.0)}, "lat_deg: 90.0001 is not a number from -90 to 90"),
        ({"place_deg": (0.0, -180.1)}, "lon_deg"),
        ({"place_deg": (math.nan, 0.0)}, "lat_deg: nan"),
        ({"place_deg": (0.0, math.inf)}, "lon_deg: inf"),
        ({"alt_m": -math.inf}, "alt_m"),
        ({"accuracy_m": math.nan}, "accuracy_m"),
        ({"accuracy_m": -1.0}, "accuracy_m"),
        ({"hdop": math.inf}, "hdop"),
        ({"fix_utc": FIXED.replace(tzinfo=None)}, "a time without zone"),
        ({"taken": TAKEN.replace(tzinfo=None)}, "a time without zone"),
        ({"size_px": (0, 48)}, "width_px"),
        ({"size_px": (64, 65_536)}, "height_px"),
        ({"exposure_us": 0}, "exposure_us"),
        ({"exposure_us": 2**32}, "exposure_us"),
        ({"iso": 0}, "iso"),
        ({"model": "x" * 65_536}, "a JPEG segment holds 65533"),
    ],
)
def test_value_that_exif_cannot_say_is_refused(change: dict[str, Any], message: str) -> None:
    """By name; a wrong coordinate in evidence is worse than none."""
    with pytest.raises(ValueError, match=message):
        stamp(PLAIN, replace(FACTS, **change))


@pytest.mark.parametrize("broken", [b"", b"\xff\xd8", b"<html>", PLAIN[:12], PLAIN[:20]])
def test_invalid_jpeg_is_refused(broken: bytes) -> None:
    """Nothing is stamped onto half a file."""
    with pytest.raises(ValueError, match="EXIF: "):
        stamp(broken, FACTS)


@pytest.mark.slow
def test_exiftool_finds_nothing_to_warn_of(tmp_path: Path) -> None:
    """3D, 2D, no fix, unknown facts and the ends of every range."""
    changes: list[dict[str, Any]] = [
        {},
        NO_PLACE,
        {"alt_m": None, "mode": "2"},
        {"alt_m": -432.1, "accuracy_m": 0.0, "hdop": 99.99, "satellites": "0"},
        {"alt_m": 100_000.0, "accuracy_m": 4e7, "hdop": 1e6, "satellites": "999"},
        {"exposure_us": None, "iso": None, "model": "", "serial": ""},
        {"exposure_us": 2**32 - 1, "iso": 65_535, "serial": "é" * 301},
        {"exposure_us": 1, "iso": 1, "taken": datetime(1970, 1, 1, tzinfo=UTC)},
        *({"place_deg": place} for place in HARD_PLACES),
    ]
    cases = [replace(FACTS, **change) for change in changes]

    for found in _exiftool(tmp_path, cases, "-validate", "-warning"):
        assert found["Validate"] == "OK"
        assert "Warning" not in found


def _exiftool(folder: Path, cases: list[Exif], *options: str) -> list[dict[str, Any]]:
    """The findings of one call for many files, in order."""
    assert shutil.which("exiftool"), "exiftool is missing: apt-get install libimage-exiftool-perl"
    paths = [folder / f"{number:04d}.jpg" for number in range(len(cases))]
    for path, facts in zip(paths, cases, strict=True):
        path.write_bytes(stamp(PLAIN, facts))
    command = ["exiftool", "-json", "-a", *options, *map(str, paths)]
    answer = subprocess.run(command, capture_output=True, check=True)
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def _place(gps: dict[int, Any]) -> tuple[float, float]:
    """Latitude and longitude, as a reader adds them up."""
    angles = [float(d + m / 60 + s / 3600) for d, m, s in (gps[2], gps[4])]
    return (
        angles[0] * {"N": 1, "S": -1}[gps[1]],
        angles[1] * {"E": 1, "W": -1}[gps[3]],
    )


def _tags(stamped: bytes) -> dict[str, dict[int, Any]]:
    """Read image, exif and gps with somebody else's reader, which knows the tags' types."""
    read = piexif.load(stamped)
    return {
        name: {tag: _plain(value) for tag, value in read[directory].items()}
        for name, directory in (("image", "0th"), ("exif", "Exif"), ("gps", "GPS"))
    }


def _plain(value: Any) -> Any:
    match value:
        case bytes() if b"\x00" not in value:
            return value.decode("ascii")
        case (int(above), int(below)):
            return [Fraction(above, below)]
        case ((int(), int()), *_):
            return [Fraction(*pair) for pair in value]
        case _:
            return value
