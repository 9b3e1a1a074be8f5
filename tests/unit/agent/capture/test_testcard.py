"""A frame in figures, and the figures in words: what a technician has to do."""

from typing import Any, Final

import cv2  # noqa: TID251 - draws a page
import numpy as np
import pytest

from agent.capture import testcard
from agent.capture.quality import Pixels
from agent.config import Thresholds
from hardware.camera import Frame
from hardware.simulated.sensor import FULL_WELL_E, GAMMA, developed
from tests.bench.quality.spoiling import smeared, softened
from tests.support.benchtop import picture

LIMITS: Final = Thresholds()
LINE: Final = "the quick brown fox jumps over the lazy dog 0123456789 "


def page() -> Pixels:
    """A printed page on a grey table, as a camera of 1152 x 648 sees it at 40 cm."""
    drawn = np.full((648, 1152, 3), (70, 75, 78), np.uint8)
    drawn[54:594, 192:960] = (225, 230, 232)
    for y in range(104, 574, 34):
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(drawn, LINE, (222, y), font, 0.7, (40, 40, 40), 2, cv2.LINE_AA)
    light = ((softened(drawn, 0.7) / 255) ** GAMMA).astype(np.float32)
    return developed(light, FULL_WELL_E, np.random.default_rng(1))


def figures(
    pixels: Pixels,
    gain: float = 1.0,
    focused: bool | None = None,
    converged: bool | None = True,
) -> dict[str, Any]:
    return testcard.figures(Frame(pixels, 8_000, gain, None, 0, focused, converged), LIMITS)


def told(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Level and words, by their first word."""
    judged = testcard.judged(found, LIMITS)
    return {words.split()[0].strip(":,"): (level, words) for level, words in judged}


def tinted(pixels: Pixels, blue: float, green: float, red: float) -> Pixels:
    return np.asarray(np.clip(pixels * np.array([blue, green, red]), 0, 255), np.uint8)


def test_a_printed_page_is_sharp_well_exposed_and_grey() -> None:
    found = figures(page())

    assert {level for level, _ in told(found).values()} == {"OK"}
    assert found["sharpness"] > 1.2 * LIMITS.blurred_below
    assert max(found[f"{name}_pct"] for name in ("red", "green", "blue")) < 70


@pytest.mark.parametrize("sigma_px", [2, 3, 4])
def test_a_page_out_of_focus_is_a_failure_with_what_to_do(sigma_px: float) -> None:
    level, words = told(figures(softened(page(), sigma_px)))["sharpness"]

    assert level == "FAILED"
    assert "clean the lens" in words
    assert "hold a printed page at 40 cm" in words


@pytest.mark.parametrize("direction_deg", [0.0, 45.0, 90.0])
def test_a_page_that_moved_is_a_failure(direction_deg: float) -> None:
    """Strokes of letters along the smear stay as they are."""
    assert told(figures(smeared(page(), 12, direction_deg)))["sharpness"][0] == "FAILED"


@pytest.mark.parametrize(
    ("pixels", "remedy"),
    [
        (picture(0.02), "make light"),
        (np.full((360, 640, 3), 255, np.uint8), "turn it away"),
        (np.full((360, 640, 3), 120, np.uint8), "lies on the lens"),
    ],
    ids=["dark", "bright", "covered"],
)
def test_unjudged_picture_is_a_failure_without_a_word_on_sharpness(
    pixels: Pixels, remedy: str
) -> None:
    found = told(figures(pixels))

    assert found["exposure"][0] == "FAILED"
    assert remedy in found["exposure"][1]
    assert "sharpness" not in found


def test_noise_is_a_failure_of_the_light_and_not_of_the_lens() -> None:
    """Blur is asked for before noise, so a noisy page is sharp."""
    noise = np.random.default_rng(1).normal(0, 40, page().shape)
    noisy = np.clip(page() + noise, 0, 255).astype(np.uint8)

    found = told(figures(noisy))

    assert found["exposure"][0] == "FAILED"
    assert "too much noise: make light" in found["exposure"][1]
    assert found["sharpness"][0] == "OK"


def test_little_light_is_noted() -> None:
    assert told(figures(page(), gain=8.0))["exposure"][0] == "NOTE"
    assert told(figures(page(), gain=7.9))["exposure"][0] == "OK"


@pytest.mark.parametrize(("converged", "level"), [(True, "OK"), (None, "OK"), (False, "NOTE")])
def test_exposure_that_has_not_settled_is_noted(converged: bool | None, level: str) -> None:
    assert told(figures(page(), converged=converged))["exposure"][0] == level


@pytest.mark.parametrize(
    ("factors", "level", "words"),
    [
        ((1.0, 1.0, 1.0), "OK", "colour: red"),
        ((0.6, 0.9, 1.0), "NOTE", "right only for something red"),
        ((1.0, 0.0, 1.0), "FAILED", "there is no green"),
        ((0.0, 0.0, 0.0), "NOTE", "black has none"),
    ],
)
def test_a_cast_is_noted_and_a_colour_that_is_gone_is_a_failure(
    factors: tuple[float, float, float], level: str, words: str
) -> None:
    found = told(figures(tinted(page(), *factors)))["colour"]

    assert found[0] == level
    assert words in found[1]


def test_a_lens_that_says_whether_it_is_in_focus_is_quoted() -> None:
    assert told(figures(page(), focused=True))["sharpness"][1].endswith(", in focus")
    blurred = told(figures(softened(page(), 4), focused=False))["sharpness"][1]
    assert "the lens finds no focus" in blurred


@pytest.mark.parametrize(
    "lie",
    [
        {},
        {"verdict": "splendid"},
        {"sharpness": None},
        {"red_pct": "red"},
        {"gain": []},
    ],
)
def test_invalid_figures_are_refused(lie: dict[str, Any]) -> None:
    found = {**figures(page()), **lie} if lie else {}

    with pytest.raises((KeyError, TypeError, ValueError)):
        list(testcard.judged(found, LIMITS))
