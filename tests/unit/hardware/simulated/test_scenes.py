"""A rendered door must be as varied, as heavy and as repeatable as the tests that lean on it."""

from dataclasses import replace
from typing import Final

import cv2  # noqa: TID251 - measures and encodes what was rendered
import numpy as np
import pytest

from hardware.simulated.scenes import Scene, exposure, render

SMALL: Final = Scene(width_px=640, height_px=360)


def test_the_same_scene_gives_the_same_pixels() -> None:
    """After any other rendering in between."""
    first = render(SMALL)
    render(replace(SMALL, seed=5))

    assert np.array_equal(render(SMALL), first)
    assert first.shape == (360, 640, 3)
    assert first.dtype == np.uint8


def test_frames_of_a_burst_differ_by_noise_only() -> None:
    """Two exposures of one door."""
    one, other = render(SMALL), render(replace(SMALL, frame=1))

    difference = one.astype(int) - other
    assert 0.5 < difference.std() < 4
    assert abs(difference.mean()) < 0.1


def test_the_dark_is_noisier_since_its_gain_is_higher() -> None:
    """As bright a picture as by day, of a sixteenth of the electrons."""
    noise = []
    for light, over_stops in ((1, 0), (0.08, 2)):
        scene = replace(SMALL, light=light, over_stops=over_stops)
        one, other = (render(replace(scene, frame=frame)).astype(float) for frame in (0, 1))
        noise.append((one - other).std())

    assert noise[1] > 2.5 * noise[0]


def test_a_house_number_changes_the_plaque_and_nothing_else() -> None:
    """The door of a seed stays the same, whichever number it is given."""
    one, other = (render(replace(SMALL, noise=0, house=house)) for house in (1, 88))

    rows, columns, _ = np.nonzero(one != other)
    assert rows.size > 0
    assert rows.max() - rows.min() < SMALL.height_px / 8
    assert columns.max() - columns.min() < SMALL.width_px / 12


def test_the_lamp_lights_the_parcel_more_than_the_corners() -> None:
    """A small lamp in the hand falls off."""
    night = replace(SMALL, light=0.02)

    lit, dark = (render(scene).astype(float) for scene in (replace(night, lamp=True), night))
    gained = lit.mean(axis=2) - dark.mean(axis=2)
    assert gained[200:260, 280:360].mean() > 2 * gained[:40, :60].mean() > 0
    assert exposure(replace(night, lamp=True)).gain < exposure(night).gain


@pytest.mark.parametrize(("arc_deg", "least", "most"), [(0, 1, 9), (180, 1, 9), (360, 0, 0.3)])
def test_motion_goes_another_way_in_each_frame(arc_deg: float, least: float, most: float) -> None:
    """Except for a whole turn, which is the same wherever it begins."""
    moving = replace(SMALL, noise=0, motion_px=16, motion_arc_deg=arc_deg)

    one, other = render(moving).astype(float), render(replace(moving, frame=1))
    assert least < np.abs(one - other).mean() < most


@pytest.mark.slow
def test_a_photo_by_day_is_as_heavy_as_a_real_one() -> None:
    """250 to 500 KB at quality 85: what queue, disk and network are measured with."""
    for seed in range(8):
        encoded = cv2.imencode(".jpg", render(Scene(seed=seed)), [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
        assert 250_000 < len(encoded) < 500_000
