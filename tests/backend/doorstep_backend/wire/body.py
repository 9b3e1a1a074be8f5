"""The body of an upload, as it comes: in pieces that are worth a transaction each."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.requests import ClientDisconnect, Request

PIECE_S: Final = 1.0
"""What came is kept so much later at most: on a slow line a transaction each second, and a process
that is killed loses no more of it.
"""


class TooLongError(ValueError):
    """The body is longer than what is left of its upload."""


async def pieces(request: Request, room: int, most: int) -> AsyncGenerator[bytes]:
    """The body in pieces of at most `most` bytes, none empty, each what came within PIECE_S.

    Args:
        room: bytes that may come.

    Raises:
        ClientDisconnect: the line was cut; all that had come was given before.
        TooLongError: at once when it is.
    """
    clock, come = asyncio.get_running_loop().time, bytearray()
    due_s = clock() + PIECE_S
    try:
        async with aclosing(_ticking(request, PIECE_S)) as chunks:
            async for chunk in chunks:
                room -= len(chunk)
                if room < 0:
                    raise TooLongError
                due_s = due_s if come else clock() + PIECE_S
                come += chunk
                while len(come) >= most or (come and clock() >= due_s):
                    yield bytes(come[:most])
                    del come[:most]
    except ClientDisconnect:
        if come:
            yield bytes(come)
        raise
    if come:
        yield bytes(come)


async def _ticking(request: Request, every_s: float) -> AsyncGenerator[bytes]:
    """The body's chunks as they come, and an empty one whenever none came for so long."""
    stream = request.stream()
    coming = _next(stream)
    try:
        while True:
            await asyncio.wait({coming}, timeout=every_s)
            if not coming.done():
                yield b""
                continue
            if (chunk := coming.result()) is None:
                return
            yield chunk
            coming = _next(stream)
    finally:
        coming.cancel()


def _next(stream: AsyncGenerator[bytes, None]) -> asyncio.Future[bytes | None]:
    """The next chunk, None at the end; nobody need ask for it, when the request has its answer."""
    coming = asyncio.ensure_future(anext(stream, None))
    coming.add_done_callback(lambda done: done.cancelled() or done.exception())
    return coming
