"""Faces are found whichever way up, and nothing is looked for with another model."""

from pathlib import Path

import numpy as np
import pytest

from doorstep_backend.copies.faces import FaceFinder, NoModel, turned_back
from tests.backend.copies.measuring import Case, covers, is_found
from tests.backend.copies.pasted import Person, door, face, with_person


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.mark.parametrize("turns", range(4))
def test_area_in_a_turned_picture_is_mapped_back_to_its_place(turns: int) -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[5:15, 20:50] = 255
    y, x, _ = np.nonzero(np.rot90(picture, turns))
    turned = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1, 0.5]], np.float32)

    (row,) = turned_back(turned, turns, picture)

    assert row.tolist() == [20, 5, 50, 15, 0.5]


@pytest.mark.slow
@pytest.mark.parametrize("face_px", [16, 48, 150])
@pytest.mark.parametrize("turn_deg", [0, 45, 90, 180])
def test_a_face_is_found_whichever_way_up(finder: FaceFinder, face_px: int, turn_deg: int) -> None:
    """Without turned pictures the model misses 16 px at 45 degrees and 48 px upside down."""
    assert is_found(finder, Case(1, Person(face_px, turn_deg, (820, 616))))


@pytest.mark.slow
def test_a_picture_too_large_to_look_at_is_looked_at_smaller(finder: FaceFinder) -> None:
    """The sensor's whole frame: what is found has the size that it has there."""
    near = Person(300, 0, (3000, 1200))
    picture = np.zeros((2592, 4608, 3), np.uint8)
    picture[:] = door(1).mean()

    areas = finder.areas(with_person(picture, near))

    assert any(covers(one, face(near)) for one in areas)


@pytest.mark.slow
def test_a_door_without_people_stays_as_it_is(finder: FaceFinder) -> None:
    assert finder.areas(door(1)) == []


def test_another_model_is_not_taken(tmp_path: Path) -> None:
    model = tmp_path / "centerface.onnx"
    with pytest.raises(NoModel, match="cannot be read"):
        FaceFinder(model)

    model.write_bytes(b"another")
    with pytest.raises(NoModel, match="not the one that was tried"):
        FaceFinder(model)


def test_a_picture_of_one_pixel_has_no_face(finder: FaceFinder) -> None:
    assert finder.areas(np.zeros((1, 1, 3), np.uint8)) == []
