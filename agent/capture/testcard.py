"""A frame in figures: sharpness, exposure, colour; and the technician's remedies.

A printed page shows if the lens is set and clean. It shows less of a hand that moves: smeared
by 12 px along its lines of text, a page still counts as sharp; across them it does not.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, Final

import numpy as np

from agent.capture import quality
from agent.config import Config, Thresholds
from agent.models import QualityVerdict
from hardware.camera import Camera, Frame

SETTLE_S: Final = 1.0
"""Time from a cold camera's start to the frame: white balance settles within 30 frames."""

GAIN_NOTED: Final = 8.0
"""Gain from which the light is too dim: half of the gain that common sensors have (IMX708: 16)."""

CAST_NOTED_PCT: Final = 40.0
"""Between the strongest and the weakest colour, of their mean. Source: eleven photographs of
colourful things have up to 120, a page on a grey table 10 (tests/bench/quality, 2026-11)."""

COLOUR_GONE_PCT: Final = 10.0
"""A colour with less than this of the mean of all three is not there."""

CARD: Final = "hold a printed page at 40 cm, in daylight or under a lamp, and run this again"

Figures = dict[str, Any]
"""JSON: numbers, null where the camera does not tell, and the verdict of quality."""

Judged = tuple[str, str]
"""A level by the names of doctor's levels, and the remedy."""


def look(camera: Camera, config: Config, now_ns: Callable[[], int] = time.monotonic_ns) -> Figures:
    """Take one frame, which never leaves memory, and return its figures; starts the camera.

    The caller stops the camera again.

    Raises:
        CameraStalled: no frame in time.
        CameraFailed: the camera reported an error.
    """
    settle_s = 0.0 if camera.streaming else SETTLE_S
    camera.start()
    after_ns = now_ns() + round(settle_s * 1e9)
    deadline_s = settle_s + config.camera.frame_deadline_ms / 1000
    with closing(camera.take(after_ns, 1, deadline_s)) as frames:
        return figures(next(frames), config.quality)


def figures(frame: Frame, thresholds: Thresholds) -> Figures:
    """Return what can be said of a frame in numbers; pure."""
    report = quality.assess(frame.pixels, thresholds)
    blue, green, red = np.asarray(frame.pixels[::4, ::4].mean(axis=(0, 1))) / 2.55
    return {
        "verdict": str(report.verdict),
        **report.scores,
        "exposure_us": frame.exposure_us,
        "gain": round(frame.gain, 2),
        "converged": frame.converged,
        "lux": frame.lux,
        "red_pct": round(float(red), 1),
        "green_pct": round(float(green), 1),
        "blue_pct": round(float(blue), 1),
        "focused": frame.focused,
    }


def judged(figures: Mapping[str, Any], thresholds: Thresholds) -> Iterator[Judged]:
    """Yield the meaning of the figures, each with its remedy; pure.

    Raises:
        KeyError, TypeError, ValueError: the figures are invalid.
    """
    verdict = QualityVerdict(figures["verdict"])
    yield _exposure(figures, verdict)
    if verdict in {QualityVerdict.OK, QualityVerdict.BLURRED, QualityVerdict.NOISY}:
        yield _sharpness(figures, verdict, thresholds)
    yield _colour(figures)


def _exposure(figures: Mapping[str, Any], verdict: QualityVerdict) -> Judged:
    mean_pct, clipped_pct = float(figures["mean_pct"]), float(figures["clipped_pct"])
    gain, exposure_ms = float(figures["gain"]), float(figures["exposure_us"]) / 1000
    told = (
        f"brightness {mean_pct:.0f} %, {clipped_pct:.1f} % white, "
        f"{exposure_ms:.1f} ms at gain {gain:.1f}"
    )
    match verdict:
        case QualityVerdict.DARK:
            words = "too dark: take what covers the lens away, make light"
        case QualityVerdict.CLIPPED:
            words = "too bright: turn it away from the lamp or the window"
        case QualityVerdict.COVERED:
            words = "nothing to be seen: take what lies on the lens away, clean it"
        case QualityVerdict.NOISY:
            words = "too much noise: make light"
        case _:
            if figures["converged"] is False:
                return "NOTE", f"exposure: {told}; not settled, as in light that flickers: {CARD}"
            if gain < GAIN_NOTED:
                return "OK", f"exposure: {told}"
            return "NOTE", f"exposure: {told}; there is little light for a test: make more"
    return "FAILED", f"exposure: {told}; {words}; {CARD}"


def _sharpness(
    figures: Mapping[str, Any], verdict: QualityVerdict, thresholds: Thresholds
) -> Judged:
    told = f"sharpness {float(figures['sharpness']):.0f}"
    focus = {True: ", in focus", False: ", the lens finds no focus"}.get(figures["focused"], "")
    if verdict is not QualityVerdict.BLURRED:
        return "OK", f"{told}{focus}"
    words = (
        f"{told}{focus}, where {thresholds.blurred_below:.0f} is sharp: clean the lens, rest the "
        f"device on something, and {CARD}; where it stays so, the lens is not set for this "
        "distance, or the module is broken"
    )
    return "FAILED", words


def _colour(figures: Mapping[str, Any]) -> Judged:
    shares = {name: float(figures[f"{name}_pct"]) for name in ("red", "green", "blue")}
    mean_pct = sum(shares.values()) / len(shares)
    told = "colour: " + ", ".join(f"{name} {share:.0f} %" for name, share in shares.items())
    if mean_pct == 0:
        return "NOTE", f"{told}; black has none: {CARD}"
    weakest, strongest = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    cast_pct = 100 * (shares[strongest] - shares[weakest]) / mean_pct
    if shares[weakest] < COLOUR_GONE_PCT / 100 * mean_pct:
        return "FAILED", f"{told}; there is no {weakest}: {CARD}; where it stays so, replace it"
    if cast_pct > CAST_NOTED_PCT:
        words = f"{strongest} by {cast_pct:.0f} %, which is right only for something {strongest}"
        return "NOTE", f"{told}; {words}: {CARD}; a page that stays tinted means another module"
    return "OK", told
