"""The body of an upload, as it comes: in pieces that are worth a transaction each."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.requests import ClientDisconnect, Request

PIECE_S: Final = 1.0
"""Greatest delay until data is stored: on a slow connection a transaction each second, and a killed
process loses no more of it.
"""


class TooLongError(ValueError):
    """The body is longer than what is left of its upload."""


async def pieces(request: Request, room: int, most: int) -> AsyncGenerator[bytes]:
    """Yield the body in pieces of at most `most` bytes, none empty, each received within PIECE_S.

    Args:
        room: bytes that may come.

    Raises:
        ClientDisconnect: the connection was cut; all bytes before that were yielded.
        TooLongError: as soon as it is too long.
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
    """Yield the body's chunks as they come, and an empty one whenever none came for so long."""
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
    """Return the next chunk, None at the end; after the answer nobody need ask for it."""
    coming = asyncio.ensure_future(anext(stream, None))
    coming.add_done_callback(lambda done: done.cancelled() or done.exception())
    return coming
