"""tus 1.0 with creation-with-upload: one writer per upload, named by capture_id.

tuspyserver 4.4, the kept tus library for Python, does not fit: its HEAD wants a `filename` in
Upload-Metadata, which ours must not have, and does not end a request that is still writing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tests.backend.faults.switches import ReceiptMode, Switches
from tests.backend.identity.admission import device_of, technician_of
from tests.backend.wire import headers
from tests.backend.wire.connections import Connection, connection_of
from tests.backend.wire.intake import DigestMismatchError, Intake, NotVouchedError, is_closed_to
from tests.backend.wire.quota import RETRY_AFTER_S, TOO_MANY, Quota, owner_of
from tests.backend.wire.rescued import Rescues
from tests.backend.wire.store import Store, Upload, UploadExistsError

NO_SUCH_UPLOAD: Final = "no upload of this id: create it with POST"
"""Why HEAD or PATCH is answered 404, in the reader's words."""

ANOTHERS: Final = "this upload was begun by another device"
"""Why it is answered 403."""

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Writer:
    """The request that is writing to an upload."""

    connection: Connection
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Tus:
    """The routes below /files.

    Everything between two awaits is atomic: storing, judging and signing happen in the one
    thread of the event loop.
    """

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake
        self._quota = Quota(store)
        self._rescues = Rescues(store)
        self._writers: dict[str, Writer] = {}

    def routes(self) -> list[Route]:
        """GET and DELETE are left out on purpose: a device may do neither (405)."""
        return [
            _route("/files", POST=self.create, OPTIONS=self.options),
            _route("/files/{capture_id}", HEAD=self.head, PATCH=self.patch, OPTIONS=self.options),
        ]

    async def options(self, _request: Request) -> Response:
        abilities = {
            "Tus-Resumable": headers.TUS_VERSION,
            "Tus-Version": headers.TUS_VERSION,
            "Tus-Extension": "creation,creation-with-upload",
            "Tus-Max-Size": str(headers.MAX_UPLOAD_BYTES),
        }
        return Response(status_code=204, headers=abilities)

    async def create(self, request: Request) -> Response:
        headers.check_version(request)
        upload = replace(headers.announced(request), device_id=device_of(request.scope))
        has_body = headers.body_length(request) != 0
        if has_body:
            headers.check_body(request, upload.length)
        self._begin(request, upload)
        if has_body and not await self._append(request, upload):
            return _unheard()
        location = str(request.base_url) + f"files/{upload.capture_id}"
        return self._answer(request, upload, 201, {"Location": location})

    def _begin(self, request: Request, upload: Upload) -> None:
        owner = owner_of(request.scope)
        is_new = self._store.find(upload.capture_id) is None
        if is_new and not self._quota.admits(owner, upload.length):
            raise HTTPException(429, TOO_MANY, {"Retry-After": str(RETRY_AFTER_S)})
        try:
            self._store.create(upload)
        except UploadExistsError as error:
            raise HTTPException(409, f"{error}: ask for its offset with HEAD") from error
        self._quota.book(owner, upload.capture_id)

    async def head(self, request: Request) -> Response:
        upload = await self._asked_for(request)
        answer = {"Upload-Metadata": upload.metadata, "Cache-Control": "no-store"}
        return Response(headers=self._progress(upload) | answer)

    async def patch(self, request: Request) -> Response:
        upload = await self._asked_for(request)
        offset = self._store.offset(upload)
        if headers.number(request, "Upload-Offset") != offset:
            raise HTTPException(409, f"the upload stands at {offset}", self._progress(upload))
        headers.check_body(request, upload.length - offset)
        if not await self._append(request, upload):
            return _unheard()
        return self._answer(request, upload, 204, {})

    async def _asked_for(self, request: Request) -> Upload:
        """Finds the upload in the path, after ending a request that still writes to it."""
        headers.check_version(request)
        capture_id = headers.uuid(request.path_params["capture_id"])
        self._own(request, capture_id)
        while (writer := self._writers.get(capture_id)) is not None:
            writer.connection.reset()
            await writer.ended.wait()
        return self._own(request, capture_id)

    def _own(self, request: Request, capture_id: str) -> Upload:
        upload = self._store.find(capture_id)
        if upload is None:
            raise HTTPException(404, NO_SUCH_UPLOAD)
        if is_closed_to(request.scope, upload):
            raise HTTPException(403, ANOTHERS)
        return upload

    async def _append(self, request: Request, upload: Upload) -> bool:
        """Keeps the body as it comes; False when the line was cut. Keeps none that is too long."""
        technician = technician_of(request.scope)
        start = self._store.offset(upload)
        room = upload.length - start
        with self._writing(request, upload) as part:
            try:
                async for chunk in request.stream():
                    room -= len(chunk)
                    if room < 0:
                        part.truncate(start)
                        raise HTTPException(413, headers.TOO_LONG)
                    if technician is not None and chunk:
                        self._rescues.mark(upload.capture_id, technician)
                        technician = None  # once is enough
                    part.write(chunk)
            except ClientDisconnect:
                return False
        return True

    @contextmanager
    def _writing(self, request: Request, upload: Upload) -> Iterator[BinaryIO]:
        writer = self._writers[upload.capture_id] = Writer(connection_of(request.scope))
        try:
            with self._store.appending(upload) as part:
                yield part
        finally:
            del self._writers[upload.capture_id]
            writer.ended.set()

    def _answer(
        self, request: Request, upload: Upload, status: int, more: dict[str, str]
    ) -> Response:
        answer = self._progress(upload) | more
        if self._store.offset(upload) < upload.length:
            return Response(status_code=status, headers=answer)
        switches: Switches = request.state.switches
        try:
            verdict = self._intake.judge(upload, switches)
        except DigestMismatchError as error:
            raise HTTPException(460, str(error)) from error
        except NotVouchedError as error:
            raise HTTPException(403, str(error)) from error
        name = "Doorstep-Receipt" if verdict.accepted else "Doorstep-Refusal"
        if switches.receipt is not ReceiptMode.NONE:
            answer[name] = self._intake.shown(verdict, upload, switches.receipt)
        return Response(status_code=status if verdict.accepted else 422, headers=answer)

    def _progress(self, upload: Upload) -> dict[str, str]:
        return {
            "Tus-Resumable": headers.TUS_VERSION,
            "Upload-Offset": str(self._store.offset(upload)),
            "Upload-Length": str(upload.length),
        }


def _route(path: str, **by_method: Endpoint) -> Route:
    """One for all methods: of several the first would answer 405, and `Allow` name its own only."""

    async def answer(request: Request) -> Response:
        return await by_method[request.method](request)

    return Route(path, answer, methods=list(by_method))


def _unheard() -> Response:
    """What is answered when the line is gone; nobody reads it."""
    return Response(status_code=400)
