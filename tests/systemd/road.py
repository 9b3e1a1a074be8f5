"""The way to a backend that listens on loopback only: sync's unit lets nobody reach 127.0.0.1."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import trustme

HERE: Final = ("10.77.9.1", 9443)
THERE: Final = ("127.0.0.1", 9443)


def certificates(folder: Path) -> None:
    """Write what the backend would make for itself, good for this address too."""
    folder.mkdir(parents=True)
    authority = trustme.CA()
    server = authority.issue_cert(HERE[0], THERE[0])
    (folder / "ca-key.pem").write_bytes(authority.private_key_pem.bytes())
    (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
    (folder / "server-key.pem").write_bytes(server.private_key_pem.bytes())
    (folder / "server.pem").write_bytes(b"".join(one.bytes() for one in server.cert_chain_pems))


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
    if sys.argv[1:2] == ["certificates"]:
        certificates(Path(sys.argv[2]))
    else:
        asyncio.run(main())
