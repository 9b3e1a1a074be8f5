"""Other systems that ask the backend and devices for their status: a certificate for each."""

import sqlite3  # noqa: TID251 - the backend's own database, not the device's
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from agent.models import from_rfc3339, rfc3339
from tests.backend.identity.database import opened, together


class NameTakenError(ValueError):
    """A device is called so; the text says it."""


@dataclass(frozen=True, slots=True)
class Client:
    """One certificate of a client.

    Attributes:
        serial: in hex, lower case.
    """

    serial: str
    name: str
    until: datetime
    revoked: bool


class Clients:
    """Who may look, and until when; one connection to `backend.db`.

    A client may have several certificates: the next one is made before the one in use ends.
    """

    def __init__(self, folder: Path) -> None:
        self._db = opened(folder)

    def add(self, name: str, made: x509.Certificate) -> None:
        """Lets in whoever shows this certificate. Raises NameTakenError."""
        query = "SELECT device_id FROM enrolled WHERE lower(device_id) = lower(?)"
        row = (f"{made.serial_number:x}", name, rfc3339(made.not_valid_after_utc))
        with together(self._db):
            if has := self._db.execute(query, (name,)).fetchone():
                raise NameTakenError(f"{name}: the device {has[0]} is called so; take another name")
            self._db.execute("INSERT INTO clients VALUES (?, ?, ?, 0)", row)

    def find(self, serial: int) -> Client | None:
        """Whose certificate this is, if it is a client's."""
        query = "SELECT * FROM clients WHERE serial = ?"
        row = self._db.execute(query, (f"{serial:x}",)).fetchone()
        return None if row is None else _client(row)

    def is_one(self, name: str) -> bool:
        """Whether a client is or was called so, in capitals or not."""
        query = "SELECT 1 FROM clients WHERE lower(name) = lower(?)"
        return self._db.execute(query, (name,)).fetchone() is not None

    def revoke(self, name: str) -> None:
        """Ends all its certificates at once. Raises LookupError."""
        change = "UPDATE clients SET revoked = 1 WHERE name = ?"
        with together(self._db):
            if self._db.execute(change, (name,)).rowcount == 0:
                raise LookupError(f"no client {name}: `clients list` names all")

    def listed(self) -> list[Client]:
        """Every certificate, by name and end."""
        return [_client(row) for row in self._db.execute("SELECT * FROM clients ORDER BY 2, 3")]


def _client(row: sqlite3.Row) -> Client:
    return Client(row["serial"], row["name"], from_rfc3339(row["until"]), bool(row["revoked"]))
