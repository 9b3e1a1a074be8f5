"""The backend's own CA and its signing keys, made once in its folder and kept across restarts."""

import fcntl
import os
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.record import signing
from agent.record.certificates import pem
from agent.tls import NO_CHECK_TIME, new_context
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.names import NameRefusedError, canonical
from doorstep_backend.settings import WrongSettingError

HOSTS: Final = ("127.0.0.1", "localhost")
"""Names in the server's certificate, always: the backend listens on loopback and nowhere else."""

CHANGE: Final = "keys"
"""Name of two transactions, so that no receipt is dated after the end of its key.

An `exclusive_transaction` sets the end of a signing key; a `shared_transaction` dates and signs a
receipt.
"""

NOT_ONE: Final = "{} is not the certificate of {}: was a command cut short in between, or a copy? \
`certificate NAME...` makes both again"

NO_NAME: Final = "--name: {!r:.80} is no host name and no address"


class AlertingTls(ssl.SSLObject):
    """TLS for asyncio, which never sends the alert of a failed handshake.

    The first failure is told as "more to read": what was written, the alert, then goes out. The
    next step, when the peer has closed, tells it as it is.
    """

    def do_handshake(self) -> None:
        """Take a step of the handshake; report its first failure as SSLWantReadError."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if getattr(self, "has_alerted", False):
                raise
            self.has_alerted = True
            raise ssl.SSLWantReadError from error


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files on disk: the CA a device trusts, and the chain and key of the server."""

    ca_file: Path
    chain_file: Path
    key_file: Path

    @property
    def folder(self) -> Path:
        """Folder of the CA and of the server's certificate."""
        return self.ca_file.parent

    def server_context(self, *, asks_for_clients: bool = False) -> ssl.SSLContext:
        """Return the TLS context of the server; a client may show a certificate of our CA.

        Its dates are left to the application, which can say what is wrong: TLS cannot.
        """
        context = new_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.chain_file, self.key_file)
        except ssl.SSLError as error:
            raise WrongSettingError(NOT_ONE.format(self.chain_file, self.key_file.name)) from error
        if asks_for_clients:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
            context.verify_flags |= NO_CHECK_TIME
            context.sslobject_class = AlertingTls
        return context


LOCK: Final = "lock"
"""A file that is locked, and empty: for an exclusive lock on NFS it must be open for writing.

Source: flock(2), of Linux's NFS client: a folder's lock is of one machine.
"""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of this folder while its files are made: other processes wait.

    On NFS too, where those of one process do not wait for each other.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def certificates(folder: Path, names: Iterable[str] = ()) -> Certificates:
    """Return the certificates in `folder`; make all of them when the CA is not there yet.

    `names` are those of the server beside loopback's; later ones than the first start's count not.
    """
    found = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    if not found.ca_file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        authority, key = Authority.new(), signing.new_key()
        server = authority.server(key.public_key(), [*map(_as_written, names), *HOSTS])
        write_whole(folder / "ca-key.pem", signing.private_pem(authority.key), mode=0o600)
        put_server(found, key, pem([server]))
        write_whole(found.ca_file, pem([authority.certificate]), mode=0o644)
    return found


def _as_written(name: str) -> str:
    """Return a name as it is in certificates: in ASCII. Source: RFC 5280 section 7.2."""
    try:
        ascii_name = name.encode("idna").decode("ascii")
        pattern = "*." if ascii_name.startswith("*.") else ""
        return pattern + canonical(ascii_name.removeprefix("*."))
    except (UnicodeError, NameRefusedError) as error:
        raise WrongSettingError(NO_NAME.format(name)) from error


def put_server(found: Certificates, key: signing.PrivateKey, chain: bytes) -> None:
    """Replace the server's key and certificate; a load in between gets two that do not match."""
    write_whole(found.key_file, signing.private_pem(key), mode=0o600)
    write_whole(found.chain_file, chain, mode=0o644)


class KeyInUse:
    """The private key in a file: the one that lies there now, also once a command replaced it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None

    def __call__(self) -> signing.PrivateKey:
        """Return the private key; the file is read again only after it was replaced."""
        found = self._path.stat()
        seen = (found.st_ino, found.st_mtime_ns)
        if seen != self._seen:
            self._key, self._seen = signing.read_private_key(self._path), seen
        return self._key


def receipt_key(private_file: Path, public_file: Path) -> KeyInUse:
    """Return the key that signs receipts; make it, and its public half, when not there yet."""
    if not private_file.exists():
        private_file.parent.mkdir(parents=True, exist_ok=True)
        put_key(private_file, signing.new_key())
    key = KeyInUse(private_file)
    put_public(public_file, key().public_key())
    return key


def put_key(path: Path, key: signing.PrivateKey) -> None:
    """Replace the private key in a file; processes sign with the new one from now on."""
    write_whole(path, signing.private_pem(key), mode=0o600)


def put_public(path: Path, key: signing.PublicKey) -> None:
    """Replace the public key in a file, where it is another one."""
    content = signing.public_pem(key)
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content, mode=0o644)


def write_whole(path: Path, content: bytes, *, mode: int) -> None:
    """Write or replace a file: whole or not at all, whatever other process does so too.

    Durable when it returns: what a fleet document names is not lost with it by a power cut.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
