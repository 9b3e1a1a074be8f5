"""Runs the device's own commands, as processes of their own, on the files that a cut left."""

import json
from typing import Final

from agent.errors import ExitCode
from tests.faults.powercut.stage import Stage
from tests.support.device import Device

SMALL: Final = {"kind": "simulated", "width_px": 320, "height_px": 240}
"""A camera whose scenes are drawn at once."""


def restart(stage: Stage) -> frozenset[str]:
    """Run the commands of a device on a simulated board; return the records that they made."""
    stage.empty()
    device = Device(stage.folder / "real", "", state=stage.state, camera=SMALL, **stage.tables)
    pressed = device.run("capture", "--once")
    if pressed.returncode not in {ExitCode.DONE, ExitCode.RETAKE}:
        raise RuntimeError(f"doorstep capture --once: {pressed.returncode}, {pressed.stderr}")
    looked = device.run("status", "--json")
    if looked.returncode:
        raise RuntimeError(f"doorstep status: {looked.returncode}, {looked.stderr}")
    return frozenset({json.loads(pressed.stdout)["label"]["capture_id"]})
