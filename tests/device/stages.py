"""The stages of `python -m tests.device`: each is a function of a freshly booted copy's maker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.device import round_stage
from tests.device.machine import Image
from tests.device.report import Report
from tests.device.rig import Kept


@dataclass(frozen=True, slots=True)
class Stage:
    """Checks that begin with a copy of the provisioned device.

    Attributes:
        about: one line, told above its checks.
        run: boots what it needs by `rig.device`; tells the report what it finds.
    """

    about: str
    run: Callable[[Image, Kept, Report], None]


STAGES: Final[dict[str, Stage]] = {
    "round": Stage("presses, photos, labels and receipts, as on a driver's round", round_stage.run),
}
"""In the order in which they run."""
