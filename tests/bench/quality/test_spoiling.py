"""A lens out of focus, as the bench imitates it."""

import numpy as np
import pytest

from tests.bench.quality.spoiling import defocused


@pytest.mark.parametrize("radius_px", [1.5, 3, 6])
def test_point_out_of_focus_becomes_a_disc_of_that_radius(radius_px: float) -> None:
    """A disc's light varies by a quarter of its radius squared, on each axis."""
    light = np.zeros((33, 33, 3), np.float32)
    light[16, 16] = 1
    disc = defocused(light, radius_px)[..., 0]
    y = np.arange(-16, 17)[:, None]

    assert disc.sum() == pytest.approx(1, abs=1e-4)
    assert (disc * y**2).sum() == pytest.approx(radius_px**2 / 4, rel=0.05)
    assert disc[16, 16] == pytest.approx(1 / (np.pi * radius_px**2), rel=0.05)
