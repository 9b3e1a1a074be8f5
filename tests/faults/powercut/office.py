"""The fleet's own server, which remembers the requests from before the power cut."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.record import certificates, sealing, signing
from tests.faults.powercut.promise_log import Heard
from tests.faults.powercut.stage import RECEIPT_KEY, Stage
from tests.support.authority import new_authority
from tests.support.est import Answered, Asked, EstServer, est_server
from tests.support.fleet_documents import FleetOffice
from tests.support.sealed import NAMES

AUTHORITY: Final = new_authority()

FLEET: Final = FleetOffice(keys=(RECEIPT_KEY,))

FIRST: Final = FLEET.document()
"""The fleet document that devices had; records are sealed to an office, and to an escrow."""

NEW_ESCROW: Final = sealing.read_identities(
    "AGE-SECRET-KEY-1ZL62T5CL0235AYT9CLWRGS7PYMY0K78HUFKZN59H93FHUUEHLUUQUGF07N\n"
)[0]
"""A public key pair, as those of tests/support/sealed.py."""

SECOND: Final = FLEET.document(2, recipients=[NAMES[0], NEW_ESCROW.recipient])
"""The fleet document that the server has now: it names another escrow."""

DEVICE: Final = "van-7"

TOKEN: Final = "blue-42"
"""Token with which the device enrols once; source: `EstServer`."""

SERVED: Final = "van-7.vans.example"
"""A name that the device's own server may have."""

NOWHERE: Final = "https://127.0.0.1:9"

CA: Final = "ca.pem"
"""Certificate of the fleet's authority, on the disk that is cut: an enrolment may write it."""


def join(stage: Stage, url: str = NOWHERE) -> None:
    """Make the device one of the fleet's from its next start on, with its server at `url`."""
    stage.folder.mkdir(exist_ok=True)
    key = stage.folder / "fleet-key.pem"
    key.write_bytes(signing.public_pem(FLEET.key.public_key()))
    identity = {"mode": "required", "ca": str(stage.disk / CA), "fleet_key": str(key)}
    stage.tables = {
        "identity": identity,
        "backend": {"url": url, "receipt_keys": []},
        "serve": {"names": [SERVED]},
    }


@contextmanager
def opened(stage: Stage, heard: Sequence[Heard] = ()) -> Iterator[EstServer]:
    """Run the server, which remembers what it `heard`, and note the requests during the block."""
    with est_server(stage.folder / "est", AUTHORITY) as server:
        server.given, server.fleet = {SERVED}, SECOND
        server.script = lambda asked: _retired(server, asked)
        for one in heard:
            server.answer(_asked(one))

        def note(asked: Asked) -> Answered | None:
            stage.promises.heard.append(_heard(stage.now(), asked))
            return _retired(server, asked)

        server.script = note
        join(stage, server.url)
        yield server


def _retired(server: EstServer, asked: Asked) -> Answered | None:
    """Answer a request to retire a device; None for another request, or a second one."""
    if asked.path != "/retire" or asked.peer is None or asked.peer.serial_number in server.revoked:
        return None
    server.revoked.add(asked.peer.serial_number)
    return Answered(200, json.dumps({"device_id": DEVICE, "chains": []}).encode())


def _heard(log_bytes: int, asked: Asked) -> Heard:
    peer = None if asked.peer is None else certificates.pem([asked.peer])
    return Heard(log_bytes, asked.method, asked.path, asked.login, asked.body, peer)


def _asked(one: Heard) -> Asked:
    peer = None if one.peer is None else certificates.read_pem(one.peer)[0]
    return Asked(one.method, one.path, one.login, one.body, peer, {}, 0)


def token_file(stage: Stage) -> Path:
    """Write the token file, as a technician does."""
    file = stage.folder / "token"
    file.write_text(f"{TOKEN}\n")
    return file
