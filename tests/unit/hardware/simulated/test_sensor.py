"""Noise, colours and edges of a rendered picture are those of a camera."""

from itertools import pairwise
from typing import Any, Final

import cv2  # noqa: TID251 - a JPEG, and the luma of a picture
import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.simulated import sensor
from hardware.simulated.sensor import FULL_WELL_E, Image, Light, Processing, developed, processed
from hardware.simulated.smear import line, moved

NIGHT_E: Final = 250.0
PLAIN: Final = Processing(denoise=0, sharpen=0)
GREY: Final = np.full((240, 320, 3), 0.18, np.float32)
STEP: Final = np.where(np.arange(320)[None, :, None] < 160, GREY, np.float32(0.6))


@pytest.mark.parametrize("processing", [PLAIN, Processing()], ids=["plain", "usual"])
@pytest.mark.parametrize("light", [GREY, STEP], ids=["flat", "edge"])
def test_noise_is_alike_in_neighbouring_pixels(light: Light, processing: Processing) -> None:
    """Demosaicing makes it alike, also next to an edge; raw pixels have independent noise."""
    rng = np.random.default_rng(1)
    raws = [sensor.sensed(light, NIGHT_E, rng).astype(float) for _ in range(2)]
    pictures = [_luma(developed(light, NIGHT_E, rng, processing)) for _ in range(2)]

    beside_the_edge = np.s_[:, 154:158]
    for place in (np.s_[:], beside_the_edge):
        assert abs(_likeness((raws[0] - raws[1])[place])) < 0.1
        assert _likeness((pictures[0] - pictures[1])[place]) > 0.3


def test_shot_noise_grows_with_light_as_electrons_do() -> None:
    """Variance is the number of electrons, and what reading adds."""
    rng = np.random.default_rng(1)
    for light, white_e in ((0.1, 4000.0), (0.8, 4000.0), (0.8, 250.0)):
        raw = sensor.sensed(np.full((400, 400, 3), light, np.float32), white_e, rng)
        green_e = (raw[::2, 1::2].astype(float) - 64) * white_e / (1023 - 64)

        rounding = (white_e / (1023 - 64)) ** 2 / 12
        reading = sensor.read_noise_e(white_e) ** 2
        assert green_e.mean() == pytest.approx(light * white_e, rel=0.01)
        assert green_e.var() == pytest.approx(light * white_e + reading + rounding, rel=0.05)


def test_read_noise_falls_with_gain_as_measured() -> None:
    """The noise is 3 electrons at gain 1 and 1.5 at gain 16; no gain is below 1."""
    for gain, noise_e in ((0.5, 3.0), (1, 3.0), (16, 1.5)):
        assert sensor.read_noise_e(FULL_WELL_E / gain) == pytest.approx(noise_e, rel=0.01)


def test_noise_grows_with_gain() -> None:
    for processing in (PLAIN, Processing()):
        rng = np.random.default_rng(1)
        noise = [_luma(developed(GREY, e, rng, processing)).std() for e in (4000, 1000, 250, 60)]

        assert all(more > 1.5 * less for less, more in pairwise(noise))


@pytest.mark.parametrize("light", [0.02, 0.18, 0.5, 0.9])
def test_a_grey_card_stays_grey(light: float) -> None:
    """Within a level of what the curve makes of it; at night, without a cast."""
    card = np.full((240, 320, 3), light, np.float32)
    rng = np.random.default_rng(1)

    day = developed(card, FULL_WELL_E, rng).mean(axis=(0, 1))
    night = developed(card, NIGHT_E, rng).mean(axis=(0, 1))

    assert day == pytest.approx([255 * light ** (1 / 2.2)] * 3, abs=1)
    assert np.ptp(night) < 2


def test_colours_stay_what_they_are() -> None:
    """The matrix undoes the sensor's mixing, for cardboard, a blue and a green door, and red."""
    for bgr in ((104, 148, 186), (120, 62, 30), (46, 92, 40), (30, 30, 200)):
        light = (np.array(bgr) / 255) ** 2.2 * np.ones((240, 320, 3))

        seen = developed(light.astype(np.float32), FULL_WELL_E, np.random.default_rng(1))

        assert seen.mean(axis=(0, 1)) == pytest.approx(bgr, abs=4)


def test_black_keeps_its_noise() -> None:
    """The black level is above 0, so that half of the noise is not cut off."""
    raw = sensor.sensed(np.zeros((240, 320, 3), np.float32), NIGHT_E, np.random.default_rng(1))

    assert raw.mean() == pytest.approx(64, abs=0.1)
    assert raw.std() == pytest.approx(1.5 * (1023 - 64) / NIGHT_E, rel=0.05)


@pytest.mark.parametrize("white_e", [FULL_WELL_E, 60])
def test_blown_out_light_is_white_without_noise(white_e: float) -> None:
    """The limit cuts the noise off too: a lamp at night is no grey grain."""
    lamp = np.full((60, 80, 3), 16, np.float32)

    assert (developed(lamp, white_e, np.random.default_rng(1)) == 255).all()


def test_band_of_rows_shows_no_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filters of a band also use the rows around the band."""
    light = np.random.default_rng(1).random((400, 320, 3)).astype(np.float32)
    raw = sensor.sensed(moved(light, line(3, 30)), NIGHT_E, np.random.default_rng(1))
    in_bands = processed(raw, NIGHT_E, Processing())

    monkeypatch.setattr(sensor, "_BAND_PX", 400)

    assert np.array_equal(in_bands, processed(raw, NIGHT_E, Processing()))


def test_filter_for_noise_takes_noise_and_leaves_edges() -> None:
    """Neighbours across an edge differ by more than noise does."""
    plain, smooth = (
        _luma(developed(STEP, 1000, np.random.default_rng(1), Processing(denoise, sharpen=0)))
        for denoise in (0, 1)
    )

    assert smooth[:, 10:150].std() < 0.75 * plain[:, 10:150].std()
    assert smooth.mean() == pytest.approx(plain.mean(), abs=0.2)
    steps = [np.diff(luma.mean(axis=0)).max() for luma in (plain, smooth)]
    assert steps[1] == pytest.approx(steps[0], rel=0.1)


def test_filter_for_sharpness_lifts_an_edge_to_its_limit_only() -> None:
    """By at most eight levels on each side; six levels of contrast are below the threshold."""
    lifted = []
    for brighter in (3, 1.11):
        edge = np.where(np.arange(320)[None, :, None] < 160, GREY, GREY * np.float32(brighter))
        clean = sensor.sensed(edge, FULL_WELL_E, np.random.default_rng(1), noise=0)
        soft, sharp = (
            _luma(processed(clean, FULL_WELL_E, Processing(denoise=0, sharpen=sharpen)))
            for sharpen in (0, 1)
        )
        lifted.append(sharp - soft)

    strong, faint = lifted
    assert 6 <= strong.max() <= 9
    assert -9 <= strong.min() <= -6
    assert not strong[:, :150].any()
    assert not faint.any()


def test_a_webcams_picture_has_been_a_jpeg() -> None:
    """Another JPEG of the same quality changes little."""
    losses = []
    for jpeg_pct in (None, 85):
        seen = developed(STEP, NIGHT_E, np.random.default_rng(1), Processing(jpeg_pct=jpeg_pct))
        again = cv2.imdecode(cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], 1)
        losses.append(np.abs(seen.astype(float) - again).mean())

    assert losses[1] < 0.3 * losses[0]


def test_light_is_taken_as_floats_or_as_16_bits() -> None:
    """At odd sizes too: a photograph has any."""
    light = np.random.default_rng(1).random((121, 163, 3)).astype(np.float32)
    words = np.rint(light * 65_535).astype(np.uint16)

    floats, bits = (developed(seen, 4000, np.random.default_rng(1)) for seen in (light, words))

    assert floats.shape == light.shape
    assert np.abs(floats.astype(int) - bits).mean() < 0.1


def _luma(picture: Image) -> NDArray[Any]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(float)


def _likeness(noise: NDArray[Any]) -> float:
    """Return the correlation of each pixel's noise with that of the pixel below."""
    return float(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1])
