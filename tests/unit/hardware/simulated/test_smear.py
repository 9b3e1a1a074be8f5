"""A smear keeps the light and the place of a picture, along any path."""

from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.simulated.smear import Path, arc, line, moved

PATHS: Final[dict[str, Path]] = {
    "line": line(12, 30),
    "half a pixel": line(0.5, 0),
    "arc": arc(24, 270, 10),
    "circle": arc(15, 360, 0),
    "tremor": [(0, 0), (3, 1), (5, -2), (4, 4)],
}


@pytest.mark.parametrize("name", PATHS)
def test_a_smear_keeps_the_light_and_the_middle(name: str) -> None:
    """A dot of light becomes the path, and its middle stays where the dot was."""
    y, x = np.indices((65, 65))

    smear = _smeared_dot(PATHS[name])

    assert smear.sum() == pytest.approx(1, abs=1e-4)
    assert (smear * x).sum() == pytest.approx(32, abs=1e-3)
    assert (smear * y).sum() == pytest.approx(32, abs=1e-3)
    assert smear.max() < 0.9


def test_a_smear_in_16_bits_keeps_the_light() -> None:
    """Half the memory of floats."""
    light = np.random.default_rng(1).integers(0, 65_536, (60, 80, 3)).astype(np.uint16)

    smear = moved(light, line(12, 30))

    assert smear.dtype == np.uint16
    assert smear.mean() == pytest.approx(light.mean(), rel=0.01)


def test_a_dot_becomes_the_path_and_not_its_mirror_image() -> None:
    """Ten to the right, then four down: most light is in the upper row."""
    smear = _smeared_dot([(0, 0), (10, 0), (10, 4)])

    rows, columns = np.nonzero(smear > 0.01)
    assert smear[rows.min() : rows.min() + 2].sum() == pytest.approx(10 / 14, abs=0.1)
    assert smear[:, columns.max() - 1 :].sum() == pytest.approx(4 / 14, abs=0.1)


def test_speed_is_even_wherever_a_path_has_corners() -> None:
    """The motion does not stop at corners."""
    crowded = [(-6.0, 0.0), (-5.9, 0.0), (-5.8, 0.0), (-5.0, 0.0), (6.0, 0.0)]

    assert _smeared_dot(crowded) == pytest.approx(_smeared_dot(line(12, 0)), abs=1e-3)


@pytest.mark.parametrize("sweep_deg", [0, 1, 5, 135, 180, 270, 360])
def test_an_arc_is_as_far_across_as_it_says(sweep_deg: float) -> None:
    """Arcs of any angle and lines of the same size can thus be compared."""
    points = np.array(arc(24, sweep_deg, 70))

    distances = np.hypot(*(points[:, None] - points[None, :]).T)
    assert distances.max() == pytest.approx(24, abs=0.02)


def test_a_shallow_arc_runs_along_the_line_of_its_direction() -> None:
    assert np.sort(np.array(arc(24, 0.1, 70)), axis=0) == pytest.approx(
        np.sort(np.array(line(24, 70)), axis=0)
    )
    bent = np.array(arc(24, 10, 70))
    along = bent[-1] - bent[0]
    assert abs(np.degrees(np.arctan2(along[1], along[0])) - 70) % 180 == pytest.approx(0, abs=1e-6)


def test_a_path_of_no_length_changes_nothing() -> None:
    light = np.random.default_rng(1).random((8, 9, 3)).astype(np.float32)

    assert np.array_equal(moved(light, line(0, 45)), light)


def _smeared_dot(path: Path) -> NDArray[Any]:
    dot = np.zeros((65, 65, 3), np.float32)
    dot[32, 32] = 1
    return moved(dot, path)[..., 1]
