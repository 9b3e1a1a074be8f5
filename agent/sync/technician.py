"""The settings of a technician's machine: the backend, the trust, and the technician."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from agent.config import HttpsAddress, read_toml, wrong_address
from agent.errors import ConfigError
from agent.record import signing
from agent.record.signing import PublicKey
from agent.wire.tls import ClientTls
from hardware.foreign import SMALL_BYTES, read_file
from hardware.settings_toml import TableReader


@dataclass(frozen=True, slots=True)
class TechnicianBackend:
    """`[backend]` of a technician."""

    url: HttpsAddress


@dataclass(frozen=True, slots=True)
class TechnicianIdentity:
    """`[identity]` of a technician; the files are PEM."""

    ca: Path
    """The fleet's certificate authority."""
    fleet_key: Path
    """The public key that signs the fleet document: it names who signs receipts."""
    technician: Path
    """Key and certificate in one: `technicians add NAME --out FILE` in the office makes it."""


@dataclass(frozen=True, slots=True)
class TechnicianConfig:
    """A technician's configuration; a device's is another file."""

    backend: TechnicianBackend
    identity: TechnicianIdentity

    def tls(self) -> ClientTls:
        """Return the trust and the certificate of a connection. Raises ConfigError."""
        ca, own = self.identity.ca, self.identity.technician
        if not ca.is_file():
            raise ConfigError(f"identity.ca: {ca}: no such file; the fleet's authority, PEM")
        try:
            read_file(own, SMALL_BYTES)  # OpenSSL would wait for the writer of a pipe
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(own, password="")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", error)
            if isinstance(error, ssl.SSLError):
                reason = "not a key and its certificate"
            words = "`technicians add NAME --out FILE` in the office makes one"
            raise ConfigError(f"identity.technician: {own}: {reason}; {words}") from error
        return ClientTls(ca, "identity.ca", own=own)

    def pinned(self) -> PublicKey:
        """Return the fleet key. Raises ConfigError."""
        return signing.read_public_key(self.identity.fleet_key, "the fleet's public key")


def load(path: Path) -> TechnicianConfig:
    """Read and check it; relative paths in it are relative to the file.

    Raises:
        ConfigError: names every problem, one per line.
    """
    table = read_toml(path)
    if "device" in table:
        words = "a device's configuration; --from needs a technician's: [backend] url, and"
        raise ConfigError(f"{path}: {words} [identity] ca, fleet_key, technician; give --config")
    reader = TableReader(path.parent.resolve())
    found = reader.table(TechnicianConfig, table, "")
    if found is not None:
        reader.problems.extend(wrong_address("backend.url", found.backend.url))
    if found is None or reader.problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in reader.problems))
    return found
