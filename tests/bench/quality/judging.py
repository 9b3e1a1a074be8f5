"""Verdicts on a photograph in every class."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.capture import quality
from agent.config import Thresholds
from agent.models import QualityVerdict
from tests.bench.quality.classes import BLURS, pictures
from tests.bench.quality.photographs import Photograph


@dataclass(frozen=True, slots=True)
class Judged:
    """A picture and its verdict."""

    photograph: str
    blur: str
    exposure: str
    verdict: QualityVerdict


def judged(photograph: Photograph, blurs: Iterable[str] = tuple(BLURS)) -> list[Judged]:
    """Return the verdicts on a photograph in every class, or with some blurs."""
    return [
        Judged(photograph.name, blur, exposure.name, quality.assess(pixels, Thresholds()).verdict)
        for blur, exposure, pixels in pictures(photograph, blurs)
    ]
