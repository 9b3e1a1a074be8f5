"""Faults of the route: without a genuine one there is no photo."""

from pathlib import Path
from typing import Final

from agent.record import signing
from tests.backend.process import Backend
from tests.scenarios.disk_faults import van
from tests.scenarios.faults import Seen, fault, light_of_press, state_of
from tests.support.device import Device
from tests.support.roads import STOP, payload_of, signed

REQUIRED: Final = {"manifest": "required"}


def refused(device: Device) -> Seen:
    reply = device.press()
    light = light_of_press(device)
    return Seen(device.log("capture"), light, [reply["record"]["reason"], state_of(device, reply)])


@fault("no manifest has come")
def missing(folder: Path, backend: Backend) -> Seen:
    with van(folder, backend, policy=REQUIRED) as device:
        return refused(device)


@fault("the manifest is not genuine")
def forged(folder: Path, backend: Backend) -> Seen:
    """By another key than the backend's; put there as sync does with whatever it is given."""
    with van(folder, backend, policy=REQUIRED) as device:
        token = signed(payload_of(STOP), key=signing.new_key())
        device.ask("capture", {"offer": "manifest", "text": token})
        device.await_that(lambda: "event=manifest_refused" in device.log("capture"))
        return refused(device)
