"""A photograph four times: sharp and smeared, by day and at night, with score and verdict."""

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from agent.capture import quality
from agent.config import Thresholds
from hardware.simulated.smear import line, moved
from tests.bench.quality.classes import DAY, NIGHT, exposed
from tests.bench.quality.photographs import PHOTOGRAPHS, pixels
from tests.bench.quality.spoiling import light_of

PHOTOGRAPH: Final = next(one for one in PHOTOGRAPHS if one.name == "beacon-street-sunset")
"""A photograph of the half `tune`, from budgie-backgrounds; its licence is CC0-1.0."""

_SHOWN: Final = (slice(560, 860), slice(1080, 1560))
"""Rows and columns that are shown, at full size."""

_SMEAR_PX: Final = 24
_DIRECTION_DEG: Final = 30
_WIDTH_IN: Final = 10.0
_HEIGHT_IN: Final = 7.0


def draw(file: Path) -> None:
    """Draw the four pictures in a JPEG file."""
    sharp = light_of(pixels(PHOTOGRAPH))
    smeared = moved(sharp, line(_SMEAR_PX, _DIRECTION_DEG))
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    axes = figure.subplots(2, 2)
    for row, exposure in zip(axes, (DAY, NIGHT), strict=True):
        ways = (("sharp", sharp), (f"smeared over {_SMEAR_PX} px", smeared))
        for place, (title, light) in zip(row, ways, strict=True):
            taken = exposed(light, exposure, np.random.default_rng(1))
            report = quality.assess(taken, Thresholds())
            score = report.scores["sharpness"]
            place.imshow(taken[_SHOWN][..., ::-1])
            place.set_title(f"{exposure.name}, {title}\n{score:.0f}: {report.verdict}")
            place.set_axis_off()
    figure.savefig(file, dpi=96, pil_kwargs={"quality": 80})
