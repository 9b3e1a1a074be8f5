"""The pictures of the pages show the screens as they are now."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image

from tests.pictures import screens
from tests.pictures.screens import FOLDER, PHOTO, SCREENS, Office

LARGEST_BYTES: Final = 120_000

LARGEST_DIFFERENCE: Final = 4.0
"""Mean of all values from 0 to 255, of a JPEG of quality 80: another door differs by 69."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with screens.office(tmp_path_factory.mktemp("office")) as served:
        yield served


@pytest.mark.parametrize("name", SCREENS)
def test_a_picture_shows_its_screen_as_it_is_now(served: Office, name: str) -> None:
    is_current = screens.noted_digest(FOLDER / name) == served.digest(SCREENS[name])

    assert is_current, "run `python -m tests.pictures`, and look at the picture"


def test_the_photo_shows_what_the_simulated_camera_sees() -> None:
    with Image.open(FOLDER / PHOTO) as held:
        difference = np.abs(np.asarray(held, float) - np.asarray(screens.photo(), float))

    assert difference.mean() < LARGEST_DIFFERENCE


@pytest.mark.slow
def test_the_pictures_can_be_made_again(served: Office, tmp_path: Path) -> None:
    """Small, and of the same width as those that the repository holds."""
    screens.make(served, tmp_path)

    for name in (*SCREENS, PHOTO):
        with Image.open(tmp_path / name) as new, Image.open(FOLDER / name) as held:
            assert new.width == held.width
        assert (tmp_path / name).stat().st_size < LARGEST_BYTES
        assert (FOLDER / name).stat().st_size < LARGEST_BYTES
