"""The reference backend for the upload benchmark: at any address, with a plain PUT beside tus.

A record that comes by PUT costs the server the same as one that comes by tus: one row, one file,
flushed, read back and checked, one receipt. Only a second PUT starts over instead of being refused.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from doorstep_backend import __main__ as program
from doorstep_backend import keys
from doorstep_backend.identity.fleet import KeyFiles
from doorstep_backend.identity.register import Register
from doorstep_backend.wire import headers
from doorstep_backend.wire.asking import in_thread
from doorstep_backend.wire.intake import Intake
from doorstep_backend.wire.store import IntakeVerdict, Store
from tests.support.backend import Backend
from tests.support.device import environment
from tests.support.faulty.wiring import Faulty

IDLE_S: Final = 60
"""Time for which an idle connection is kept: longer than any client here waits after a cut."""

HOST: Final = "DOORSTEP_BENCH_HOST"
"""The environment's name for the address that the backend listens on."""

HERE: Final = "127.0.0.1"


class Server(Backend):
    """A backend that asks for certificates; clients call it `name`."""

    faulty_module = "tests.bench.upload_server"

    def __init__(self, data: Path, host: str, name: str) -> None:
        super().__init__(data, switches=True, identity=True, names=(host, name))
        self.host = host
        self.name = name

    def receipts_ns(self) -> list[int]:
        """Return when each record had its first receipt, by CLOCK_MONOTONIC, in order."""
        kept = self.data / "receipts"
        lines = kept.read_text().splitlines() if kept.exists() else []
        pairs = (line.split() for line in reversed(lines))
        return sorted({capture_id: int(ns) for ns, capture_id in pairs}.values())


@contextmanager
def running_server(data: Path, host: str = HERE, name: str = HERE) -> Iterator[Server]:
    """Run a server that listens on `host`."""
    server = Server(data, host, name)
    with environment(**{HOST: host}):
        server.start()
    try:
        yield server
    finally:
        server.kill()  # it has answered all; a usual end waits for open connections


class TimedStore(Store):
    """The backend's store, which writes down when each verdict was kept."""

    def settle(self, verdict: IntakeVerdict) -> None:
        super().settle(verdict)
        with (self.folder / "receipts").open("a") as kept:
            kept.write(f"{time.monotonic_ns()} {verdict.capture_id}\n")


class Put:
    """PUT /put/{capture_id}: the whole record in one request; the headers are those of a POST."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self._app = app
        self._store = store
        files = KeyFiles(store.folder)
        key = keys.receipt_key(files.signs, files.signs_public)
        self._intake = Intake(store, key, register=Register(store.folder))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_put = scope["type"] == "http" and scope["path"].startswith("/put/")
        answer = await self._put(Request(scope, receive)) if is_put else self._app
        await answer(scope, receive, send)

    async def _put(self, request: Request) -> Response:
        upload = headers.announced(request)
        if self._store.find(upload.capture_id):
            self._store.lose(upload.capture_id)
        self._store.create(upload)
        try:
            content = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        verdict = await in_thread(self._intake.judge, upload, content)
        return Response(status_code=201, headers={"Doorstep-Receipt": verdict.jws})


def main() -> int:
    faulty = Faulty()

    def middleware(store: Store) -> Sequence[Middleware]:
        return [*faulty.middleware(store), Middleware(Put, store=store)]

    vars(program).update(HOST=os.environ[HOST], IDLE_S=IDLE_S)  # there is no option for either
    return program.main(
        replace(faulty.wiring(), store=TimedStore, intake=Intake, middleware=middleware)
    )


if __name__ == "__main__":
    sys.exit(main())
