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

NGINX_CONFIG: Final = """\
pid {folder}/nginx.pid;
events {{}}
http {{
    log_format peer '$request_method $status $ssl_client_verify $ssl_client_s_dn';
    access_log {folder}/access.log peer;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_client_certificate {ca};
        ssl_verify_client optional;
        location / {{ proxy_pass {upstream}; }}
    }}
}}
"""
"""Only what it needs to start as any user, and to ask for a device's certificate; everything else
is nginx's default on purpose: 1 MB of body, requests buffered, Host rewritten to the upstream's."""


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
    with _node(data, more) as upstream, _nginx(data / "nginx", certificates, upstream) as base_url:
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


@contextmanager
def _nginx(folder: Path, certificates: keys.Certificates, upstream: str) -> Iterator[str]:
    folder.mkdir(exist_ok=True)
    port = nginx.free_port()
    text = NGINX_CONFIG.format(
        folder=folder,
        port=port,
        chain=certificates.chain_file,
        key=certificates.key_file,
        ca=certificates.ca_file,
        upstream=upstream,
    )
    (folder / "nginx.conf").write_text(text)
    with nginx.running(folder, port):
        yield f"https://127.0.0.1:{port}"
