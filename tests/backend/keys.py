"""The backend's own CA and receipt key, made once in its folder and kept across restarts."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme

from agent.record import signing

HOSTS: Final = ("127.0.0.1", "localhost")
"""Names in the server's certificate: the backend listens on loopback and nowhere else."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files on disk: the CA a device trusts, and the chain and key of the server."""

    ca_file: Path
    chain_file: Path
    key_file: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain_file, self.key_file)
        return context


def certificates(folder: Path) -> Certificates:
    """Returns the certificates in `folder`; makes all of them when the CA is not there yet."""
    found = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    if not found.ca_file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ca = trustme.CA(organization_name="Doorstep reference backend")
        server = ca.issue_cert(*HOSTS)
        chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
        _write_whole(folder / "ca-key.pem", ca.private_key_pem.bytes(), mode=0o600)
        _write_whole(found.key_file, server.private_key_pem.bytes(), mode=0o600)
        _write_whole(found.chain_file, chain, mode=0o644)
        _write_whole(found.ca_file, ca.cert_pem.bytes(), mode=0o644)
    return found


def receipt_key(private_file: Path, public_file: Path) -> signing.PrivateKey:
    """Returns the key that signs receipts; makes it, and its public half, when not there yet."""
    if not private_file.exists():
        private_file.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(private_file, signing.private_pem(signing.new_key()), mode=0o600)
    key = signing.read_private_key(private_file)
    _write_whole(public_file, signing.public_pem(key.public_key()), mode=0o644)
    return key


def _write_whole(path: Path, content: bytes, *, mode: int) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    part.rename(path)
