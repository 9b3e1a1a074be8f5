"""The reference backend for the upload benchmark: at any address, with a plain PUT beside tus.

It asks everybody for an enrolled device's certificate, and has a fleet document.
`python -m tests.bench.upload_server` is the process, `running_server` starts one.
A record that comes by PUT costs the server the same as one that comes by tus: one row, one file,
flushed, read back and checked, one receipt. Only a second PUT starts over instead of being refused.
"""

import argparse
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests  # noqa: TID251 - the benchmark's own side of the wire
import trustme
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from doorstep_backend import keys
from doorstep_backend.app import create_app
from doorstep_backend.identity.est import Identity
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles
from doorstep_backend.identity.register import Register
from doorstep_backend.serving import listen, server_config
from doorstep_backend.wire import headers
from doorstep_backend.wire.asking import asked
from doorstep_backend.wire.intake import Intake
from doorstep_backend.wire.store import Store, Verdict
from tests.support.backend import (
    CONTROL_TIMEOUT_S,
    READY_WITHIN_S,
    REPOSITORY,
    Counted,
)
from tests.support.faulty.wiring import Faulty

IDLE_S: Final = 60
"""How long an idle connection is kept: longer than any client here waits after a cut."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Attributes:
        host, port: where it listens; `base_url` is what a client next to it uses.
        name: the address that clients use; its certificate has it.
        ca_file: PEM of the CA that a client must trust.
        fleet_key_file: PEM of the public key that signs the fleet document.
        data: its folder.
    """

    host: str
    name: str
    port: int
    data: Path

    @property
    def ca_file(self) -> Path:
        return self.data / "ca" / "ca.pem"

    @property
    def fleet_key_file(self) -> Path:
        return KeyFiles(self.data).fleet_public

    def fleet_document(self) -> str:
        """As a device has it from its enrolment."""
        return FleetDocuments(self.data).served(None)

    def counts(self) -> Counted:
        """What clients did since it started."""
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.ca_file)
            url = f"https://{self.host}:{self.port}/counts"
            return Counted(**session.get(url, timeout=CONTROL_TIMEOUT_S).json())

    @property
    def base_url(self) -> str:
        return f"https://{self.name}:{self.port}"

    def receipts_ns(self) -> list[int]:
        """When each record had its first receipt, by CLOCK_MONOTONIC, in order."""
        kept = self.data / "receipts"
        lines = kept.read_text().splitlines() if kept.exists() else []
        pairs = (line.split() for line in reversed(lines))
        return sorted({capture_id: int(ns) for ns, capture_id in pairs}.values())


@contextmanager
def running_server(data: Path, host: str = "127.0.0.1", name: str = "") -> Iterator[Server]:
    """Runs a server that listens on `host` and is called `name` by clients."""
    data.mkdir(parents=True)
    name = name or host
    command = [sys.executable, "-m", "tests.bench.upload_server"]
    command += ["--data", str(data), "--host", host, "--name", name]
    with (data / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    try:
        readable, _, _ = select.select([process.stdout], [], [], READY_WITHIN_S)
        line = process.stdout.readline() if readable else ""
        if not line.startswith("ready port="):
            raise RuntimeError(f"it did not start:\n{(data / 'server.log').read_text()[-2000:]}")
        yield Server(host, name, int(line.partition("=")[2]), data)
    finally:
        process.kill()  # it has answered all; a usual end waits for open connections
        process.wait()
        process.stdout.close()


class TimedStore(Store):
    """Writes down when each verdict was kept."""

    def settle(self, verdict: Verdict) -> None:
        super().settle(verdict)
        with (self.folder / "receipts").open("a") as kept:
            kept.write(f"{time.monotonic_ns()} {verdict.capture_id}\n")


class Put:
    """PUT /put/{capture_id}: the whole record in one request; the headers are those of a POST."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake

    async def answer(self, request: Request) -> Response:
        upload = headers.announced(request)
        if self._store.find(upload.capture_id):
            self._store.lose(upload.capture_id)
        self._store.create(upload)
        try:
            content = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        verdict = await asked(self._intake.judge, upload, content)
        return Response(status_code=201, headers={"Doorstep-Receipt": verdict.jws})


def main() -> None:
    options = _options()
    data: Path = options.data.resolve()
    certificates = _certificates(data / "ca", options.host, options.name)
    context = certificates.server_context(asks_for_clients=True)
    store, documents = TimedStore(data), FleetDocuments(data)
    documents.settle()
    files, identity = KeyFiles(data), Identity.of(data, certificates)
    key = keys.receipt_key(files.signs, files.signs_public)
    intake, counted = Intake(store, key, register=Register(data)), Faulty()
    app = create_app(
        store,
        intake,
        key,
        around=counted.middleware(store),
        documents=documents,
        identity=identity,
    )
    put = Put(store, intake)
    app.router.routes.append(Route("/put/{capture_id}", put.answer, methods=["PUT"]))
    listener = listen(0, options.host)
    sys.stdout.write(f"ready port={listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = server_config(app, context, IDLE_S, protocol=counted.protocol())
    uvicorn.Server(config).run(sockets=[listener])


def _certificates(folder: Path, *names: str) -> keys.Certificates:
    ca = trustme.CA(organization_name="Doorstep upload benchmark")
    issued = ca.issue_cert(*names)
    folder.mkdir()
    made = keys.Certificates(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    ca.private_key_pem.write_to_path(folder / "ca-key.pem")
    ca.cert_pem.write_to_path(made.ca_file)
    issued.private_key_pem.write_to_path(made.key_file)
    for blob in issued.cert_chain_pems:
        blob.write_to_path(made.chain_file, append=True)
    return made


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.upload_server")
    parser.add_argument("--data", type=Path, required=True, help="a new folder for all it keeps")
    parser.add_argument("--host", required=True, help="where to listen")
    parser.add_argument("--name", required=True, help="the address that clients use")
    return parser.parse_args()


if __name__ == "__main__":
    main()
