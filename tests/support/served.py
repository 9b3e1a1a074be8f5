"""A device whose status can be asked for: `doorstep serve` as a process, and clients of its fleet.

Its certificates are made by the tests' own authority, in place of `doorstep enrol`.
"""

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from agent.queue.paths import Layout
from agent.record import certificates, signing
from tests.support.authority import YEAR, Authority, new_authority
from tests.support.device import Device

CLIENT: Final = "dispatch"
"""Name of the client that may ask the device."""

WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the device."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ServingDevice:
    """The device; `client_file` is a key and its certificate in one PEM, as curl's `--cert`."""

    device: Device
    authority: Authority
    port: int = 0
    pid: int = 0
    made: dict[str, Path] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        return self.device.folder / "fleet-ca.pem"

    @property
    def client_file(self) -> Path:
        return self.client()

    def client(
        self,
        name: str = CLIENT,
        *,
        by: Authority | None = None,
        starts: datetime | None = None,
        life: timedelta = YEAR,
        server: bool = False,
    ) -> Path:
        """Make a client's file; `by` another authority, from another time, or for a server."""
        kept = f"{name}-{len(self.made)}"
        if by is None and starts is None and life == YEAR and not server:
            kept = name
        if kept not in self.made:
            key = signing.new_key()
            issue = (by or self.authority).issue
            leaf = issue(key.public_key(), name, starts=starts, life=life, server=server)
            self.made[kept] = self.device.folder / f"client-{kept}.pem"
            self.made[kept].write_bytes(signing.private_pem(key) + certificates.pem([leaf]))
        return self.made[kept]

    def context(self, client: Path | None) -> ssl.SSLContext:
        """Return a client's TLS context; None shows no certificate."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if client is not None:
            context.load_cert_chain(client)
        return context

    def connect(self, client: Path | None, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """Open a connection from `source`, for any bytes."""
        plain = socket.create_connection(("127.0.0.1", self.port), WITHIN_S, (source, 0))
        return self.context(client).wrap_socket(plain, server_hostname="127.0.0.1")

    def ask(
        self,
        target: str,
        *,
        method: str = "GET",
        client: Path | None = None,
        body: bytes | None = None,
    ) -> Answered:
        """Send one request on a connection of its own, by default as a client that may ask."""
        line = self.line(client or self.client_file)
        try:
            line.request(method, target, body=body)
            return answered(line)
        finally:
            line.close()

    def line(self, client: Path | None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=WITHIN_S, context=self.context(client)
        )

    def start(self) -> None:
        """Return once the device listens."""
        self.pid = self.device.start("serve", ready=False).pid
        found = re.compile(r"event=serving listen=127\.0\.0\.1:(\d+)")
        self.device.await_that(lambda: found.search(self.log()) is not None)
        self.port = int(found.findall(self.log())[-1])

    def stop(self) -> int:
        return self.device.stop("serve")

    def log(self) -> str:
        return self.device.log("serve")


def answered(line: http.client.HTTPSConnection) -> Answered:
    got = line.getresponse()
    return Answered(got.status, dict(got.headers), got.read())


def prepared(folder: Path, **changes: Any) -> ServingDevice:
    """Make a device that can serve; its state folder has serve's key and certificate."""
    authority = new_authority()
    tables: dict[str, Any] = {
        "identity": {"mode": "required", "ca": "fleet-ca.pem", "fleet_key": "fleet-key.pem"},
        "backend": {"url": "https://127.0.0.1:9", "receipt_keys": []},
        "serve": {"listen": "127.0.0.1:0", "names": ["127.0.0.1"], "clients": [CLIENT]},
    }
    for table, settings in changes.items():
        tables[table] = {**tables.get(table, {}), **settings}
    device = Device(folder, **tables)
    (folder / "fleet-ca.pem").write_bytes(authority.pem)
    (folder / "fleet-key.pem").write_bytes(signing.public_pem(signing.new_key().public_key()))
    device.layout.make()
    give_certificate(device.layout, authority)
    return ServingDevice(device, authority)


def give_certificate(layout: Layout, authority: Authority, life: timedelta = YEAR) -> None:
    """Write serve's key and certificate to where `doorstep enrol` writes them."""
    key_file = layout.serve_keys / "key.pem"
    if not key_file.exists():
        key_file.touch(0o600)
        key_file.write_bytes(signing.private_pem(signing.new_key()))
    key = signing.read_private_key(key_file)
    leaf = authority.issue(key.public_key(), "van-7", server=True, life=life)
    chain = layout.trust / "serve.pem"
    part = chain.with_suffix(".part")
    part.write_bytes(certificates.pem([leaf, *authority.above]))
    part.rename(chain)


@contextmanager
def served(folder: Path, **changes: Any) -> Iterator[ServingDevice]:
    """Run a device that serves; all its processes end with the block."""
    made = prepared(folder, **changes)
    try:
        made.start()
        yield made
    finally:
        made.device.stop_all()
