"""Runs the peer for tests: @tus/server on Node, and a default nginx in front of it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from doorstep_backend import keys
from tests.support import nginx
from tests.support.npm import install, program

FOLDER: Final = Path(__file__).parent
"""Holds package.json; `npm ci` puts node_modules here, which git ignores."""

NGINX_LINES: Final = """\
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client optional;
        location / {{ proxy_pass {upstream}; }}
"""
"""Only what it needs to ask for a device's certificate; everything else is nginx's default on
purpose: 1 MB of body, requests buffered, Host rewritten to the upstream's."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that devices can sync with.

    Attributes:
        base_url: of what the device talks to, always https.
        ca_file: PEM of the CA that a device must trust.
        receipt_key_file: PEM of the public key that signs receipts and refusals.
        data: its folder.
    """

    base_url: str
    ca_file: Path
    receipt_key_file: Path
    data: Path

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])

    def received_file(self, capture_id: str) -> Path:
        """Returns where the bytes of an upload lie, complete or not."""
        return self.data / "files" / capture_id


@contextmanager
def tus_peer(data: Path) -> Iterator[Peer]:
    """Runs @tus/server with HTTPS over `data`. Raises RuntimeError when Node is missing."""
    certificates = keys.certificates(data / "ca")
    tls = ["--cert", str(certificates.chain_file), "--key", str(certificates.key_file)]
    with _node(data, tls) as base_url:
        yield Peer(base_url, certificates.ca_file, data / "receipt-key.pem", data)


@contextmanager
def nginx_peer(data: Path, *, own_ids: bool = False) -> Iterator[Peer]:
    """Runs @tus/server without TLS behind a default nginx with TLS.

    With `own_ids` it names uploads itself, and its Location has scheme, name and port of its own.

    Raises:
        RuntimeError: Node or nginx is missing, or does not start.
    """
    certificates = keys.certificates(data / "ca")
    peer = Peer("", certificates.ca_file, data / "receipt-key.pem", data)
    more = ["--own-ids"] if own_ids else []
    files = {"chain": certificates.chain_file, "key": certificates.key_file}
    files |= {"ca": certificates.ca_file}
    with _node(data, more) as upstream:
        lines = NGINX_LINES.format(upstream=upstream, **files)
        with nginx.minimal(data / "nginx", lines) as base_url:
            yield replace(peer, base_url=base_url)


@contextmanager
def _node(data: Path, more: list[str]) -> Iterator[str]:
    node = program("node", "nodejs")
    install(FOLDER)
    keys.receipt_key(data / "keys" / "receipt.pem", data / "receipt-key.pem")
    command = [node, str(FOLDER / "server.mjs"), "--port", "0", "--data", str(data)]
    command += ["--receipt-key", str(data / "keys" / "receipt.pem"), *more]
    with (
        (data / "node.log").open("ab") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as running,
    ):
        assert running.stdout is not None
        try:
            line = running.stdout.readline()
            if not line.startswith("ready url="):
                raise RuntimeError(f"the peer did not start:\n{(data / 'node.log').read_text()}")
            yield line.strip().removeprefix("ready url=")
        finally:
            running.kill()
