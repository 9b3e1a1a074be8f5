"""A copy is the same picture bit for bit, or a picture in which nobody can be recognised."""

from itertools import product
from math import hypot

import cv2  # noqa: TID251 - another decoder's view of what was made
import numpy as np
import pytest
import zxingcpp  # noqa: TID251 - what a stranger would read the label with

from agent.capture import jpeg
from agent.record.exif import stamp
from doorstep_backend.copies import labels
from doorstep_backend.copies.area import Area, Pixels, blurred
from doorstep_backend.copies.faces import FaceFinder
from doorstep_backend.copies.making import NotMade, made
from doorstep_backend.copies.shows import Shows
from doorstep_backend.office.picture import customer_copy
from tests.backend.copies.measuring import covers
from tests.backend.copies.pasted import (
    TRACKING,
    UNDECODABLE,
    Person,
    door,
    face,
    label,
    with_label,
    with_person,
)
from tests.unit.agent.record.test_exif_stamp import FACTS

SIZE_PX = (640, 480)
PERSON = Person(60, 0, (300, 200))


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


def pixels(content: bytes) -> Pixels:
    how = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), how), np.uint8)


def at_a_door(*, person: bool = False, code: bool = False) -> bytes:
    picture = door(1, SIZE_PX)
    if person:
        picture = with_person(picture, PERSON)
    if code:
        paper = label(zxingcpp.BarcodeFormat.QRCode, 3)
        picture = with_label(picture, paper, (480, 330))
    return stamp(jpeg.encode(picture, 85), FACTS)


@pytest.mark.slow
@pytest.mark.parametrize("shows", Shows)
def test_copy_without_faces_and_codes_keeps_every_bit(finder: FaceFinder, shows: Shows) -> None:
    photo = at_a_door()

    assert made(photo, shows, finder) == customer_copy(photo)


@pytest.mark.slow
@pytest.mark.parametrize("shows", Shows)
def test_nothing_of_a_face_is_left_and_the_door_around_it_is(
    finder: FaceFinder, shows: Shows
) -> None:
    photo = at_a_door(person=True)

    copy = made(photo, shows, finder)

    assert finder.areas(pixels(copy)) == []
    there = face(PERSON)
    left = pixels(copy)[there.top : there.bottom, there.left : there.right]
    assert cv2.Laplacian(left, cv2.CV_64F).std() < 3
    assert np.abs(pixels(copy)[:80].astype(int) - pixels(photo)[:80]).mean() < 3
    assert customer_copy(copy) == copy


@pytest.mark.slow
def test_a_label_is_read_in_the_copy_for_those_who_may_and_in_no_other(
    finder: FaceFinder,
) -> None:
    photo = at_a_door(code=True)

    read = {
        shows: [one.text for one in zxingcpp.read_barcodes(pixels(made(photo, shows, finder)))]
        for shows in Shows
    }

    assert read == {Shows.LABEL: [TRACKING], Shows.NO_LABEL: []}


@pytest.mark.parametrize("turn_deg", [0, 20, 45, -30, 90])
@pytest.mark.parametrize(
    "kind", [zxingcpp.BarcodeFormat.Code128, zxingcpp.BarcodeFormat.DataMatrix], ids=str
)
def test_a_label_is_found_however_the_parcel_lies(
    kind: zxingcpp.BarcodeFormat, turn_deg: int
) -> None:
    paper, middle = label(kind, 3), (820, 616)

    found = labels.areas(with_label(door(1), paper, middle, turn_deg))

    half = paper.shape[1] // 4
    wanted = Area(middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
    assert any(covers(one, wanted) for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("orientation", [3, 6])
def test_encoded_copy_keeps_the_orientation_of_the_photo(
    finder: FaceFinder, orientation: int
) -> None:
    plain = jpeg.encode(with_person(door(1, SIZE_PX), PERSON), 85)
    tiff = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0" + bytes((orientation,)) + bytes(6)
    segment = b"Exif\0\0" + tiff
    turned = plain[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + plain[2:]

    copy = made(turned, Shows.LABEL, finder)

    assert copy != customer_copy(turned)
    assert b"Exif\0\0" + tiff[:20] in copy
    assert pixels(copy).shape == (480, 640, 3)


def test_picture_that_opencv_cannot_decode_gets_no_copy(finder: FaceFinder) -> None:
    with pytest.raises(NotMade, match="decoded"):
        made(UNDECODABLE, Shows.LABEL, finder)


def test_blurred_area_keeps_only_nine_means() -> None:
    """Two areas whose nine blocks have equal means look equal once they are blurred."""
    rng = np.random.default_rng(1)
    noisy = rng.integers(0, 256, (400, 400, 3), dtype=np.uint8)
    others = noisy.copy()
    for row, column in product(range(3), range(3)):
        block = others[20 + 100 * row :, 50 + 100 * column :][:100, :100]
        block[:] = rng.permutation(block.reshape(-1, 3)).reshape(block.shape)
    area = Area(50, 20, 350, 320)

    one, other = blurred(noisy, [area], 3), blurred(others, [area], 3)

    assert not np.array_equal(noisy, others)
    assert np.array_equal(one[20:320, 50:350], other[20:320, 50:350])
    assert np.array_equal(one[:, :50], noisy[:, :50])


@pytest.mark.parametrize("area", [Area(-50, -50, -1, -1), Area(500, 0, 600, 50), Area(9, 9, 9, 9)])
def test_an_area_beyond_the_picture_changes_nothing(area: Area) -> None:
    picture = np.full((100, 100, 3), 7, np.uint8)

    assert np.array_equal(blurred(picture, [area], 3), picture)


@pytest.mark.parametrize(
    "size_px", [(4608, 2592), (640, 480), (6912, 6912), (9216, 5184), (2, 9216)]
)
def test_a_picture_is_searched_with_as_many_pixels_as_a_devices_largest(
    size_px: tuple[int, int],
) -> None:
    """Searched whole, a picture of 61 KB takes 300 MB and four seconds at its first view."""
    share = labels.searched_share(*size_px)
    turned_px = hypot(*size_px) ** 2 * share**2

    assert turned_px <= labels.MOST_TURNED_PX + 1
    assert share == 1.0 or turned_px > labels.MOST_TURNED_PX - 1


@pytest.mark.slow
def test_a_code_in_a_larger_picture_is_found_where_it_is() -> None:
    small = pixels(at_a_door(code=True))
    large = np.asarray(cv2.resize(small, (6400, 4800), interpolation=cv2.INTER_NEAREST), np.uint8)
    (there,) = {one.scaled(10) for one in labels.areas(small)[:1]}

    assert any(
        abs(one.left - there.left) + abs(one.bottom - there.bottom) < 100
        for one in labels.areas(large)
    )
