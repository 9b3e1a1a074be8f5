"""The fleet's own server: as it was when the power went, it knows what it was asked by then."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from agent.record import certificates, sealing, signing
from tests.powercut.stage import RECEIPT_KEY, Stage
from tests.powercut.told import Heard
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
"""Known to everybody, as those of tests/support/sealed.py."""

SECOND: Final = FLEET.document(2, recipients=[NAMES[0], NEW_ESCROW.recipient])
"""The one that the server has now: the escrow is another."""

DEVICE: Final = "van-7"

TOKEN: Final = "blue-42"
"""By which the device enrols, once; source: `EstServer`."""

SERVED: Final = "van-7.vans.example"
"""A name that the device's own server may have."""

NOWHERE: Final = "https://127.0.0.1:9"

CA: Final = "ca.pem"
"""Of the fleet's authority, on the disk that is cut: an enrolment may write it."""


def join(stage: Stage, url: str = NOWHERE) -> None:
    """From its next start on the device is one of the fleet's, and looks for its server there."""
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
    """The server, which has answered what it `heard`; what it is asked in the block is noted."""
    with est_server(stage.folder / "est", AUTHORITY) as server:
        server.given, server.fleet = {SERVED}, SECOND
        server.script = lambda asked: _retired(server, asked)
        for one in heard:
            server.answer(_asked(one))

        def note(asked: Asked) -> Answered | None:
            stage.told.heard.append(_heard(stage.now(), asked))
            return _retired(server, asked)

        server.script = note
        join(stage, server.url)
        yield server


def _retired(server: EstServer, asked: Asked) -> Answered | None:
    """The end of a device; None of what is not asked for it, or no more."""
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
    """As a technician puts it there."""
    file = stage.folder / "token"
    file.write_text(f"{TOKEN}\n")
    return file
