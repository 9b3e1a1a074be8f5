"""tus 1.0 with creation-with-upload: one writer at each offset of an upload, which is a capture_id.

tuspyserver 4.4, the kept tus library for Python, does not fit: its HEAD wants a `filename` in
Upload-Metadata, which ours must not have, and it has no writers in several processes.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from doorstep_backend.identity.admission import device_of, technician_of
from doorstep_backend.wire import headers
from doorstep_backend.wire.asking import in_thread
from doorstep_backend.wire.body import TooLongError, pieces
from doorstep_backend.wire.intake import DigestMismatchError, Intake, NotVouchedError, is_closed_to
from doorstep_backend.wire.quota import RETRY_AFTER_S, TOO_MANY, UnfinishedUploadsQuota, owner_of
from doorstep_backend.wire.rescued import Rescues
from doorstep_backend.wire.store import (
    PIECE_BYTES,
    NoUploadError,
    Store,
    Upload,
    UploadExistsError,
    WrongOffsetError,
)

NO_SUCH_UPLOAD: Final = "no upload of this id: create it with POST"
"""Why HEAD or PATCH is answered 404, in the reader's words."""

ANOTHERS: Final = "this upload was begun by another device"
"""Why it is answered 403."""

Endpoint = Callable[[Request], Awaitable[Response]]


WHOLE_BYTES: Final = 1_048_576
"""A record of up to so many bytes that comes in one POST is put where it stays without having been
pieces: twice a usual one, and as many may be in memory as there are connections.
"""


class Tus:
    """The routes below /files.

    Any number of processes may be at one upload: its row says where it stands, and who goes on.
    """

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake
        self._quota = UnfinishedUploadsQuota(store)
        self._rescues = Rescues(store)

    def routes(self) -> list[Route]:
        """Return the routes, without GET and DELETE on purpose: a device may do neither (405)."""
        return [
            _route("/files", POST=self.create, OPTIONS=self.options),
            _route("/files/{capture_id}", HEAD=self.head, PATCH=self.patch, OPTIONS=self.options),
        ]

    async def options(self, _request: Request) -> Response:
        """Return 204 with the versions and extensions of tus, and the largest upload in bytes."""
        abilities = {
            "Tus-Resumable": headers.TUS_VERSION,
            "Tus-Version": headers.TUS_VERSION,
            "Tus-Extension": "creation,creation-with-upload",
            "Tus-Max-Size": str(headers.MAX_UPLOAD_BYTES),
        }
        return Response(status_code=204, headers=abilities)

    async def create(self, request: Request) -> Response:
        """Create an upload; return 201, or 422 and the refusal of a whole record.

        A body is its first bytes, and what came of it before a cut is kept.

        Raises:
            HTTPException: 400, 412, 413, 415: a header or the body is wrong. 403: the signing key
                is not vouched for. 409: the id is taken. 429: too many are unfinished. 460: the
                digest is another.
        """
        headers.check_version(request)
        upload = replace(headers.announced(request), device_id=device_of(request.scope))
        has_body = headers.body_length(request) != 0
        if has_body:
            headers.check_body(request, upload.length)
        await in_thread(self._begin, owner_of(request.scope), upload)
        location = str(request.base_url) + f"files/{upload.capture_id}"
        most = WHOLE_BYTES if upload.length <= WHOLE_BYTES else PIECE_BYTES
        progress = await self._append(request, upload, 0, most) if has_body else UploadProgress(0)
        return await self._answer(upload, progress, 201, {"Location": location})

    def _begin(self, owner: str, upload: Upload) -> None:
        try:
            is_begun = self._quota.begin(upload, owner)
        except UploadExistsError as error:
            raise HTTPException(409, f"{error}: ask for its offset with HEAD") from error
        if not is_begun:
            raise HTTPException(429, TOO_MANY, {"Retry-After": str(RETRY_AFTER_S)})

    async def head(self, request: Request) -> Response:
        """Return how many bytes of an upload arrived. Raise HTTPException (400, 403, 404, 412).

        A request that is quicker than the end of a cut one may get fewer: the device sends those
        bytes again, or is answered 409.
        """
        upload, offset = await in_thread(self._asked_for, request)
        answer = {"Upload-Metadata": upload.metadata, "Cache-Control": "no-store"}
        return Response(headers=_progress(upload, offset) | answer)

    async def patch(self, request: Request) -> Response:
        """Append the body; return 204, or 422 and the refusal of a whole record.

        What came of the body before a cut is kept.

        Raises:
            HTTPException: 400, 412, 413, 415: a header or the body is wrong. 403: the upload is
                another's, or the signing key is not vouched for. 404: there is none. 409: it stands
                at another offset. 460: the digest is another.
        """
        upload, offset = await in_thread(self._asked_for, request)
        if headers.number(request, "Upload-Offset") != offset:
            raise _moved(upload, offset)
        headers.check_body(request, upload.length - offset)
        progress = await self._append(request, upload, offset, PIECE_BYTES)
        return await self._answer(upload, progress, 204, {})

    def _asked_for(self, request: Request) -> tuple[Upload, int]:
        """Return the upload in the path, and its offset."""
        headers.check_version(request)
        capture_id = headers.uuid(request.path_params["capture_id"])
        upload = self._store.find(capture_id)
        if upload is None:
            raise HTTPException(404, NO_SUCH_UPLOAD)
        if is_closed_to(request.scope, upload):
            raise HTTPException(403, ANOTHERS)
        return upload, self._store.offset(upload)

    async def _append(
        self, request: Request, upload: Upload, start: int, most: int
    ) -> "UploadProgress":
        """Keep the body as it comes, but not one that is too long, nor a whole record at once."""
        technician, progress = technician_of(request.scope), UploadProgress(start)
        try:
            async with aclosing(pieces(request, upload.length - start, most)) as body:
                async for piece in body:
                    if technician is not None and progress.offset == start:
                        await self._mark(upload, technician)
                    is_whole = len(piece) == upload.length
                    if not is_whole:
                        await self._keep(upload, progress.offset, piece)
                    progress = UploadProgress(
                        progress.offset + len(piece), piece if is_whole else None
                    )
        except TooLongError as error:
            await in_thread(self._store.cut_back, upload, progress.offset, start)
            raise HTTPException(413, headers.TOO_LONG) from error
        except ClientDisconnect:
            if progress.whole is not None:
                await self._keep(upload, start, progress.whole)
            raise
        return progress

    async def _mark(self, upload: Upload, technician: str) -> None:
        try:
            await in_thread(self._rescues.mark, upload.capture_id, technician)
        except NoUploadError as error:
            raise HTTPException(404, NO_SUCH_UPLOAD) from error

    async def _keep(self, upload: Upload, at: int, piece: bytes) -> None:
        try:
            await in_thread(self._store.append, upload, at, piece)
        except WrongOffsetError as error:
            raise _moved(upload, error.offset) from error
        except NoUploadError as error:
            raise HTTPException(404, NO_SUCH_UPLOAD) from error

    async def _answer(
        self, upload: Upload, progress: "UploadProgress", status: int, more: dict[str, str]
    ) -> Response:
        answer = _progress(upload, progress.offset) | more
        if progress.offset < upload.length:
            return Response(status_code=status, headers=answer)
        try:
            verdict = await in_thread(self._intake.judge, upload, progress.whole)
        except DigestMismatchError as error:
            raise HTTPException(460, str(error)) from error
        except NotVouchedError as error:
            raise HTTPException(403, str(error)) from error
        name = "Doorstep-Receipt" if verdict.accepted else "Doorstep-Refusal"
        answer[name] = verdict.jws
        return Response(status_code=status if verdict.accepted else 422, headers=answer)


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """The progress of an upload after a request.

    Attributes:
        whole: all of the record, where it came in one piece and was not kept yet.
    """

    offset: int
    whole: bytes | None = None


def _progress(upload: Upload, offset: int) -> dict[str, str]:
    return {
        "Tus-Resumable": headers.TUS_VERSION,
        "Upload-Offset": str(offset),
        "Upload-Length": str(upload.length),
    }


def _moved(upload: Upload, offset: int) -> HTTPException:
    return HTTPException(409, f"the upload stands at {offset}", _progress(upload, offset))


def _route(path: str, **by_method: Endpoint) -> Route:
    """Return one route for all methods; with several the first would answer 405 for the others."""

    async def answer(request: Request) -> Response:
        return await by_method[request.method](request)

    return Route(path, answer, methods=list(by_method))
