"""The automatic exposure of the simulated camera, against libcamera's formulas."""

from itertools import pairwise

import pytest

from hardware.simulated.auto_exposure import (
    DELAY,
    FIRST_US,
    IMX708,
    LEAST_GAIN,
    LIBCAMERA,
    STABLE,
    AutoExposure,
    Tuning,
    brightness,
    measured_lux,
)
from hardware.simulated.scenes import (
    EXPOSURE_LUX_US,
    EXPOSURE_MAX_US,
    EXPOSURE_MIN_US,
    GAIN_MAX,
)

MOST = EXPOSURE_MAX_US * GAIN_MAX


def exposures(automatic: AutoExposure, lux: float, frames: int) -> list[float]:
    """Expose frames in this light."""
    exposed = []
    for _ in range(frames):
        exposed.append(automatic.exposure)
        automatic.measure(brightness(automatic.exposure, lux))
    return exposed


def used_to(lux: float) -> AutoExposure:
    """Return an automatic that is past its first frames, and has long seen this light."""
    automatic = AutoExposure()
    exposures(automatic, lux, 100)
    return automatic


def test_first_frames_of_a_process_converge_at_once() -> None:
    exposed = exposures(AutoExposure(), 1_000, DELAY + 1)

    assert exposed[:DELAY] == [FIRST_US] * DELAY
    assert exposed[DELAY] == pytest.approx(EXPOSURE_LUX_US / 1_000, rel=0.02)


@pytest.mark.parametrize("tuning", [LIBCAMERA, IMX708])
def test_later_frames_go_a_share_of_the_way(tuning: Tuning) -> None:
    """Near the target it is the square root of that share."""
    automatic = AutoExposure(tuning)
    exposures(automatic, 1_000, 100)
    before = automatic.exposure

    exposed = exposures(automatic, 500, 40)

    target = EXPOSURE_LUX_US / 500
    left = [1 - (one - before) / (target - before) for one in exposed[DELAY:]]
    assert left[0] == pytest.approx(1 - tuning.speed, rel=0.02)
    assert left[1] == pytest.approx((1 - tuning.speed) ** 2, rel=0.02)
    near = next(number for number, one in enumerate(exposed) if one > 0.8 * target)
    share = (exposed[near + 1] - exposed[near]) / (target - exposed[near])
    assert share == pytest.approx(tuning.speed**0.5, rel=0.1)
    assert abs(exposed[-1] / target - 1) <= STABLE


def test_a_white_picture_is_corrected_by_a_fifth_at_most() -> None:
    """Statistics end at white, so they do not show how much too bright a picture is."""
    automatic = used_to(0.001)

    exposed = exposures(automatic, 100_000, 200)

    assert exposed[:DELAY] == [MOST] * DELAY
    steps = [after / before for before, after in pairwise(exposed)]
    assert min(steps) >= LIBCAMERA.speed * LEAST_GAIN + 1 - LIBCAMERA.speed
    assert next(n for n, one in enumerate(exposed) if one < 1.5 * EXPOSURE_MIN_US) > 30
    assert exposed[-1] == pytest.approx(EXPOSURE_MIN_US, rel=STABLE)


def test_small_changes_of_light_are_left_alone() -> None:
    automatic = used_to(1_000)
    before = automatic.exposure

    assert set(exposures(automatic, 1_000 * (1 + STABLE / 2), 20)) == {before}


def test_exposure_resumes_from_its_last_value() -> None:
    """The first frames have what the last frame of the stream before chose."""
    automatic = used_to(1_000)
    chosen = exposures(automatic, 10, 2)[-1]
    automatic.start()

    resumed = exposures(automatic, 1_000, DELAY + 1)

    assert resumed[0] > chosen
    assert resumed[:DELAY] == [resumed[0]] * DELAY
    assert resumed[DELAY] < resumed[0]


@pytest.mark.parametrize(("lux", "limit"), [(0.01, MOST), (1_000_000, EXPOSURE_MIN_US)])
def test_exposure_ends_at_the_limits_of_the_sensor(lux: float, limit: float) -> None:
    assert used_to(lux).exposure == pytest.approx(limit)


def test_white_and_black_pictures_report_a_wrong_illuminance() -> None:
    """A white picture reports too little light for the lamp, a black one too much."""
    for lux in (1.0, 60.0, 2_000.0):
        assert measured_lux(used_to(lux).exposure, lux) == pytest.approx(lux, rel=0.03)
    assert 20 < measured_lux(MOST, 50_000) < 100
    assert measured_lux(EXPOSURE_MIN_US, 0.1) > 100
