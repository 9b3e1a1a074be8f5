"""Stages of `python -m tests.system.qemu`: functions that get a maker of booted copies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.system.qemu import (
    battery_stage,
    clock_stage,
    day_stage,
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
    "round": Stage(
        "presses on kernel GPIO, light and buzzer, photos at the backend, a bounce, a photo taken "
        "back, a confidential door, a label",
        round_stage.run,
    ),
    "units": Stage(
        "exposure of each unit (`systemd-analyze security`), boot to ready, edge to green, memory",
        units_stage.run,
    ),
    "day": Stage(
        "150 presses on a Zero 2 W's memory: what our processes take, and what is left",
        day_stage.run,
    ),
    "suites": Stage(
        "the contract suites with the marker `device`: kernel GPIO, picamera2, gpsd, an MPU-6050",
        suites.run,
    ),
    "faults": Stage("camera, receiver and card: missing, full, repaired", faults_parts.run),
    "kills": Stage("`kill -9` of each process", faults_process.run),
    "storms": Stage("a device that cannot start, until it can", storms.run),
    "battery": Stage("an empty battery, also with people logged in", battery_stage.run),
    "clock": Stage("a clock at 1971 without a network", clock_stage.run),
    "cuts": Stage("twenty power cuts during presses", power_cuts.run),
}
"""In the order in which they run."""


@dataclass(frozen=True, slots=True)
class FleetStage:
    """Checks that begin with three devices of an earlier release; see fleet.py."""

    about: str
    run: Callable[[Image, Report], None]


FLEET_STAGES: Final[dict[str, FleetStage]] = {
    "deploy": FleetStage(
        "a faulty release to three devices in waves, with power cuts at each step; then this "
        "release to all",
        deploy_stage.run,
    ),
    "end": FleetStage(
        "after `deploy`: one device is killed and its card rescued, one retires and its card is "
        "searched",
        end_stage.run,
    ),
}
"""In the order in which they run, after the others."""

PROVISION: Final = "provision"
"""The stage that makes the device of all others; it runs by itself if the device is missing."""

ABOUT: Final[Mapping[str, str]] = {
    PROVISION: "`scripts/provision` on a fresh machine, then again: the second run must change "
    "nothing",
    **{name: stage.about for name, stage in STAGES.items()},
    **{name: stage.about for name, stage in FLEET_STAGES.items()},
}
"""The purpose of each stage, by its name."""

NAMES: Final = tuple(ABOUT)
"""Every stage that the command line takes."""
