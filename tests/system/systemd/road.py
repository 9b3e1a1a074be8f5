"""The way to a backend that listens on loopback only: sync's unit lets nobody reach 127.0.0.1."""

import asyncio
from contextlib import suppress
from typing import Final

HERE: Final = ("10.77.9.1", 9443)
THERE: Final = ("127.0.0.1", 9443)


async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65_536):
            to.write(piece)
            await to.drain()
    to.close()


async def lead(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    beyond, towards = await asyncio.open_connection(*THERE)
    await asyncio.gather(carry(source, towards), carry(beyond, to))


async def main() -> None:
    server = await asyncio.start_server(lead, *HERE)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
