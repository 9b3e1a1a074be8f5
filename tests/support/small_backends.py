"""The smallest backends, for Python and for Node, as processes that can be killed."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from doorstep_backend import keys
from tests.support import nginx
from tests.support.backend import REPOSITORY
from tests.support.npm import install, program

SMALLEST: Final = REPOSITORY / "agent/docs/receipts_backend.py"
"""The one for Python."""

SMALLEST_ROUTES: Final = SMALLEST.with_name("routes_backend.py")
"""Source of its extension with mutual TLS and a fleet document."""

NODE: Final = REPOSITORY / "tests/contracts/peer"
"""Folder of the one for Node; `npm ci` puts node_modules here, which git ignores."""

NGINX_LINES: Final = """\
        ssl_certificate {tls.chain_file};
        ssl_certificate_key {tls.key_file};
        ssl_client_certificate {tls.ca_file};
        ssl_verify_client optional;
        location / {{ proxy_pass {upstream}; }}
"""
"""Only what it needs to ask for a device's certificate; everything else is nginx's default on
purpose: 1 MB of body, requests buffered, Host rewritten to the upstream's."""

_READY: Final = "ready url="


class SmallBackend:
    """A backend over one folder, which runs in a `with`; it starts again at the same address.

    Attributes:
        base_url: always https; known once it was started.
        tls: the files of its certificate, and of the authority in `folder`/ca.
        ca_file: PEM of the CA that a device must trust.
        receipt_key_file: PEM of the public key that signs receipts.
        data: its folder.
    """

    base_url: str

    def __init__(self, folder: Path, command: Sequence[str], data: Path, record: str) -> None:
        self.tls = keys.certificates(folder / "ca")
        private, self.receipt_key_file = folder / "receipt.pem", folder / "receipt-public.pem"
        keys.receipt_key(private, self.receipt_key_file)
        self.ca_file, self.data, self._record = self.tls.ca_file, data, record
        self._log, self._asked_port = folder / "backend.log", 0
        self._command = [*command, "--data", str(data), "--receipt-key", str(private)]
        self._command += ["--cert", str(self.tls.chain_file), "--key", str(self.tls.key_file)]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> Self:
        """Start it, and return once it listens. Raises RuntimeError if it ends before."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "--port", str(self._asked_port)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(_READY):
            self.kill()
            raise RuntimeError(f"the backend did not start:\n{self._log.read_text()}")
        self.base_url = line.strip().removeprefix(_READY)
        self._asked_port = self.port
        return self

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        self.start()

    @property
    def port(self) -> int:
        """Port at which it listens."""
        return int(self.base_url.rpartition(":")[2])

    def received_file(self, capture_id: str) -> Path:
        """Return the file of a whole record."""
        return self.data / self._record.format(capture_id)


def python_backend(folder: Path, data: Path | None = None, source: Path = SMALLEST) -> SmallBackend:
    """Return the one for Python; `source` is another program than ours."""
    command = [sys.executable, "-I", str(source)]
    return SmallBackend(folder, command, data or folder / "data", "received/{}.rec")


def routes_backend(folder: Path, source: Path = SMALLEST_ROUTES) -> SmallBackend:
    """Return the one for the road; its authority and that of its devices is in `folder`/ca."""
    command = [sys.executable, str(source), "--ca", str(folder / "ca/ca.pem")]
    return SmallBackend(folder, command, folder / "data", "received/{}.rec")


def node_backend(folder: Path, data: Path | None = None, *, own_ids: bool = False) -> SmallBackend:
    """Return the one for Node; with `own_ids` it names uploads itself.

    Raises:
        RuntimeError: Node is missing.
    """
    install(NODE)
    command = [program("node", "nodejs"), str(NODE / "server.mjs")]
    command += ["--own-ids"] if own_ids else []
    return SmallBackend(folder, command, data or folder / "data", "files/{}")


@contextmanager
def node_behind_nginx(folder: Path, *, own_ids: bool = False) -> Iterator[SmallBackend]:
    """Run the one for Node behind a default nginx, whose log is `folder`/nginx/access.log.

    With `own_ids` its Location has a scheme, a name and a port of its own.
    """
    with node_backend(folder, own_ids=own_ids) as backend:
        lines = NGINX_LINES.format(tls=backend.tls, upstream=backend.base_url)
        with nginx.minimal(folder / "nginx", lines) as url:
            backend.base_url = url
            yield backend


def changed(folder: Path, *edits: tuple[str, str], source: Path = SMALLEST) -> Path:
    """Write one for Python with these texts replaced, each of which is there once."""
    text = source.read_text()
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} is not there once"
        text = text.replace(old, new)
    shutil.copy(SMALLEST, folder)  # the one for the road imports it
    path = folder / "changed_backend.py"
    path.write_text(text)
    return path
