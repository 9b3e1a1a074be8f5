"""Clients that are no devices: other systems that ask for a status, and technicians."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from cryptography import x509

from agent.models import from_rfc3339, rfc3339
from doorstep_backend.engines.sql import Row
from doorstep_backend.identity.database import opened


class NameTakenError(ValueError):
    """A name that somebody else has; the text says who."""


class ClientKind(StrEnum):
    """CLIENT: another system, which looks. TECHNICIAN: a person, who brings what cards hold."""

    CLIENT = "client"
    TECHNICIAN = "technician"


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate of a client or a technician.

    Attributes:
        serial: in hex, lower case.
    """

    serial: str
    name: str
    until: datetime
    revoked: bool
    kind: ClientKind = ClientKind.CLIENT


class Clients:
    """The clients and technicians that are let in, and until when; a connection to `backend.db`.

    Each may have several certificates: the next one is made before the one in use ends.
    """

    def __init__(self, folder: Path) -> None:
        self._db = opened(folder)

    def add(self, name: str, made: x509.Certificate, kind: ClientKind = ClientKind.CLIENT) -> None:
        """Let the holder of this certificate in. Raises NameTakenError."""
        row = (f"{made.serial_number:x}", name, rfc3339(made.not_valid_after_utc), kind)
        with self._db.exclusive_transaction():
            if who := self._others(name, kind):
                raise NameTakenError(f"{name}: {who} is called so; take another name")
            self._db.execute("INSERT INTO clients VALUES (?, ?, ?, FALSE, ?)", row)

    def _others(self, name: str, kind: ClientKind) -> str | None:
        query = "SELECT device_id FROM enrolled WHERE lower(device_id) = lower(?)"
        if has := self._db.execute(query, (name,)).fetchone():
            return f"the device {has[0]}"
        query = "SELECT kind FROM clients WHERE lower(name) = lower(?) AND kind <> ?"
        found = self._db.execute(query, (name, kind)).fetchone()
        return f"a {found[0]}" if found else None

    def find(self, serial: int) -> ClientCertificate | None:
        """Return the client or technician of this certificate; None if it is a device's."""
        query = "SELECT * FROM clients WHERE serial = ?"
        row = self._db.execute(query, (f"{serial:x}",)).fetchone()
        return None if row is None else _client(row)

    def kind_of(self, name: str) -> ClientKind | None:
        """Return the kind that has or had this name, in capitals or not; None if nobody had it."""
        query = "SELECT kind FROM clients WHERE lower(name) = lower(?)"
        found = self._db.execute(query, (name,)).fetchone()
        return None if found is None else ClientKind(found[0])

    def revoke(self, name: str, kind: ClientKind = ClientKind.CLIENT) -> None:
        """End all its certificates at once. Raises LookupError."""
        change = "UPDATE clients SET revoked = TRUE WHERE name = ? AND kind = ?"
        with self._db.exclusive_transaction():
            if self._db.execute(change, (name, kind)).rowcount == 0:
                raise LookupError(f"no {kind} {name}: `{kind}s list` names all")

    def listed(self, kind: ClientKind = ClientKind.CLIENT) -> list[ClientCertificate]:
        """Return every certificate of this kind, by name and end."""
        query = "SELECT * FROM clients WHERE kind = ? ORDER BY name, until"
        return [_client(row) for row in self._db.execute(query, (kind,))]


def _client(row: Row) -> ClientCertificate:
    until, kind = from_rfc3339(row["until"]), ClientKind(row["kind"])
    return ClientCertificate(row["serial"], row["name"], until, bool(row["revoked"]), kind)
