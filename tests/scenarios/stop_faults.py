"""Faults of the route: without a genuine one there is no photo."""

from pathlib import Path
from typing import Final

from agent.record import signing
from agent.trust.store import TrustStore
from tests.scenarios.disk_faults import van
from tests.scenarios.faults import Seen, fault, light_of_press, state_of
from tests.support.backend import Backend
from tests.support.device import Device, device
from tests.support.fleet_documents import FleetOffice, identity
from tests.support.roads import STOP, payload_of, signed

REQUIRED: Final = {"manifest": "required"}


def refused(made: Device) -> Seen:
    reply = made.press()
    light = light_of_press(made)
    return Seen(made.log("capture"), light, [reply["record"]["reason"], state_of(made, reply)])


@fault("no manifest has come")
def missing(folder: Path, backend: Backend) -> Seen:
    with van(folder, backend, policy=REQUIRED) as made:
        return refused(made)


@fault("the manifest is not genuine")
def forged(folder: Path, backend: Backend) -> Seen:
    """By another key than the backend's; put there as sync does with whatever it is given."""
    with van(folder, backend, policy=REQUIRED) as made:
        token = signed(payload_of(STOP), key=signing.new_key())
        made.ask("capture", {"offer": "manifest", "text": token})
        return refused(made)


@fault("the fleet document names nobody to seal photos to")
def nobody_to_seal_to(folder: Path, _backend: Backend) -> Seen:
    """A fleet of before sealing, and a device of after."""
    office = FleetOffice()
    with device(folder, "", **identity(folder, office)) as made:
        made.layout.make()
        TrustStore(made.layout).keep_fleet((office.document(1, recipients=[]),))
        made.start("capture")
        return refused(made)


@fault("no fleet document has come")
def not_enrolled(folder: Path, _backend: Backend) -> Seen:
    """A device that has not been enrolled, or whose fleet key is another one."""
    with device(folder, "", **identity(folder, FleetOffice())) as made:
        made.start("capture")
        return refused(made)
