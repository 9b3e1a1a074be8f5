"""The health of this process and of its engines, for its operator."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from doorstep_backend.engines.objects import Objects
from doorstep_backend.engines.sql import Database, Schema, statements
from doorstep_backend.wire.connections import connection_of

ALIVE: Final = "/healthz"
"""Path that answers while this process runs."""

READY: Final = "/readyz"
"""And its databases and objects take something, and its key signs: it can take a record in."""

WITHIN_S: Final = 2.0
"""Longest wait for one of them: a monitor gives up after some seconds too."""

FRESH_S: Final = 1.0
"""Time for which an answer is repeated: each costs a write and two requests to S3."""

PROBES: Final = Schema("health", [statements("CREATE TABLE probes (probe TEXT PRIMARY KEY)")])
"""In each database; nobody ever sees a row in it."""

NEEDS_ROOM: Final = {
    "sqlite": (),
    "postgresql": ("SET LOCAL work_mem = 64", "SELECT count(*) FROM generate_series(1, 10000)"),
}
"""Statement that needs new space on the disk, unlike a row that replaces another: 140 KB, too much
for so little memory, until the end of the statement. Measured on PostgreSQL 15, 2026-11-27.
"""


@dataclass(frozen=True, slots=True)
class Check:
    """A thing that the backend needs to take a record in.

    Attributes:
        name: what a person calls it.
        ask: returns once it answers, however long that takes. It runs in a thread, and raises
            OSError, as Unavailable is.
    """

    name: str
    ask: Callable[[], object]

    def trouble(self) -> str | None:
        """Return why it does not answer; None if it does."""
        try:
            self.ask()
        except OSError as error:
            return f"{self.name}: {error}"
        return None


def database(name: str, asked: Database) -> Check:
    """Return the check of a database: a row is written and deleted in one step, durably.

    On PostgreSQL it waits for no transaction, on SQLite for one that writes, as an intake does. A
    death in between leaves nothing.
    """
    asked.migrate(PROBES)

    def ask() -> None:
        row = (str(uuid4()),)
        with asked.transaction():
            asked.execute("INSERT INTO probes VALUES (?)", row)
            asked.execute("DELETE FROM probes WHERE probe = ?", row)
            for one in NEEDS_ROOM[asked.engine]:
                asked.execute(one)

    return Check(f"database {name}", ask)


def objects(asked: Objects) -> Check:
    """Return the check of the objects: an object is put and deleted."""
    return Check("objects", asked.check)


class Readiness:
    """All checks, run at once; none is run again while it still owes an answer."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._threads = ThreadPoolExecutor(len(checks), "readiness")
        self._asked: dict[str, asyncio.Future[str | None]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._told: list[str] = []
        self._fresh_until_s = 0.0

    async def missing(self) -> list[str]:
        """Return what does not answer and why, empty if all answers; FRESH_S old at most."""
        async with self._one_at_a_time:  # else one that stalls has the others asked by each
            if time.monotonic() >= self._fresh_until_s:
                told = await asyncio.gather(*[self._missing(check) for check in self._checks])
                self._told = [one for one in told if one is not None]
                self._fresh_until_s = time.monotonic() + FRESH_S
        return self._told

    async def _missing(self, check: Check) -> str | None:
        asked, before = self._asked.get(check.name), None
        if asked is None or asked.done():
            before = asked.result() if asked else None  # it may be later than was waited for
            asked = asyncio.get_running_loop().run_in_executor(self._threads, check.trouble)
            self._asked[check.name] = asked
        try:
            return await asyncio.wait_for(asyncio.shield(asked), WITHIN_S)
        except TimeoutError:
            why = f"; the time before: {before.removeprefix(f'{check.name}: ')}" if before else ""
            return f"{check.name}: no answer within {WITHIN_S:g} s{why}"


class Health:
    """ASGI middleware, before all others: a monitor needs no certificate."""

    def __init__(self, app: ASGIApp, readiness: Readiness, proxies: Collection[str]) -> None:
        self._app = app
        self._readiness = readiness
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer ALIVE and READY, with 503 for what is missing; pass on every other request."""
        if scope["type"] != "http" or scope["path"] not in {ALIVE, READY}:
            await self._app(scope, receive, send)
        else:
            answer = await self._answer(scope)
            await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        if not self._is_ours(scope):
            return PlainTextResponse("Not Found\n", 404)
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed\n", 405, {"Allow": "GET, HEAD"})
        missing = [] if scope["path"] == ALIVE else await self._readiness.missing()
        if missing:
            return PlainTextResponse(f"{'; '.join(missing)}\n", 503)
        return PlainTextResponse("ok\n")

    def _is_ours(self, scope: Scope) -> bool:
        """Return whether this machine or a proxy asks for itself, without X-Forwarded-For."""
        peer = connection_of(scope).peer
        is_near = peer in self._proxies or peer.startswith("127.")
        return is_near and all(name != b"x-forwarded-for" for name, _ in scope["headers"])
