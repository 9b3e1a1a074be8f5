"""Stages of `python -m tests.system.qemu`: functions that get a maker of booted copies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.system.qemu import (
    battery_stage,
    clock_stage,
    deploy_stage,
    end_stage,
    faults_parts,
    faults_process,
    power_cuts,
    round_stage,
    storms,
    suites,
    units_stage,
)
from tests.system.qemu.machine import Image
from tests.system.qemu.report import Report
from tests.system.qemu.rig import Kept


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
    "units": Stage("exposure, boot to ready, edge to green, memory", units_stage.run),
    "suites": Stage("the contract suites on kernel GPIO, picamera2 and gpsd", suites.run),
    "faults": Stage("camera, receiver and card: gone, full, and mended", faults_parts.run),
    "kills": Stage("kill -9 of each process, in the middle", faults_process.run),
    "storms": Stage("a device that cannot start says so, tries again, and recovers", storms.run),
    "battery": Stage("an empty battery powers it off, whoever is logged in", battery_stage.run),
    "clock": Stage("a clock at 1971 without network", clock_stage.run),
    "cuts": Stage("twenty power cuts during presses", power_cuts.run),
}
"""In the order in which they run."""


@dataclass(frozen=True, slots=True)
class FleetStage:
    """Checks that begin with three devices of an earlier release; see fleet.py."""

    about: str
    run: Callable[[Image, Report], None]


FLEET_STAGES: Final[dict[str, FleetStage]] = {
    "deploy": FleetStage("waves, a device that goes back, a cut at each step", deploy_stage.run),
    "end": FleetStage("a rescue from a killed one's card, and one that retires", end_stage.run),
}
"""In the order in which they run, after the others."""

PROVISION: Final = "provision"
"""The stage that makes the device the others begin with; it runs by itself if there is none."""

NAMES: Final = (PROVISION, *STAGES, *FLEET_STAGES)
"""Every stage that the command line takes."""
