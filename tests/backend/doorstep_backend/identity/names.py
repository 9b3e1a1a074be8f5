"""Under which names a device's own server may be asked: those that the office gave it."""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509

from agent.models import rfc3339
from doorstep_backend.identity.database import opened
from doorstep_backend.identity.known import CertificateUse, IssuedCertificate, issued_certificate

_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z)({_LABEL}\.)*(?!\d){_LABEL}\Z")
"""The last part begins with no digit: what does may be read as an address (WHATWG URL, 3.5).

Source: RFC 1123 section 2.1, RFC 1035 section 2.3.4.
"""


class NameRefusedError(ValueError):
    """Nobody gets this name, or not this device; the text says why and what to do."""


def canonical(text: str) -> str:
    """Return a host name in lower case, or an address in its short form; no pattern.

    Raises:
        NameRefusedError: it is neither.
    """
    if _HOST.match(text.lower()):
        return text.lower()
    with suppress(ValueError):
        if "%" not in text:  # an address on one link of one machine
            return str(ip_address(text))
    raise NameRefusedError(f"{text!r:.80} is no host name and no address")


def names_in(certificate: x509.Certificate | x509.CertificateSigningRequest) -> frozenset[str]:
    """Return host names (patterns too) and addresses of the subjectAltName, in lower case.

    Raises:
        ValueError: it cannot be read, or has other kinds.
    """
    try:
        kind = x509.SubjectAlternativeName
        found = certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return frozenset()
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from error
    if strange := [one for one in found if not isinstance(one, x509.DNSName | x509.IPAddress)]:
        raise ValueError(f"{type(strange[0]).__name__}: neither a host name nor an address")
    return frozenset(str(one.value).lower() for one in found)


def is_among(name: str, own: Collection[str]) -> bool:
    """Return whether a certificate with these names is good for `name`; pure."""
    return name in own or f"*.{name.partition('.')[2]}" in own


def is_fresh(one: IssuedCertificate, names: Collection[str], now: datetime) -> bool:
    """Return whether it is for exactly these names, and half its life is still to come; pure."""
    made = one.x509
    half = (made.not_valid_after_utc - made.not_valid_before_utc) / 2
    return names_in(made) == frozenset(names) and now < made.not_valid_after_utc - half


class Names:
    """The names that devices have; a connection to `backend.db`.

    Args:
        folder: the backend's.
        server: the backend's own certificate, PEM; a device that had a name of it could pose as
            the backend to all others.
    """

    def __init__(self, folder: Path, server: Path) -> None:
        self._db = opened(folder)
        self._server = server

    def give(self, device_id: str, names: Sequence[str]) -> tuple[str, ...]:
        """Replace a device's names; return them as they are written in certificates.

        Raises:
            LookupError: there is no such device.
            NameRefusedError: nothing was changed.
        """
        given = tuple(dict.fromkeys(canonical(name) for name in names))
        with self._db.exclusive_transaction():
            query = "SELECT 1 FROM enrolled WHERE device_id = ?"
            if self._db.execute(query, (device_id,)).fetchone() is None:
                raise LookupError(f"no device {device_id}: `devices list` names all")
            # Its id is the common name, which some clients read where there is no host name.
            for name in (*given, *([device_id.lower()] if given else [])):
                self._check(name, device_id)
            self._db.execute("DELETE FROM names WHERE device_id = ?", (device_id,))
            rows = [(name, device_id) for name in given]
            self._db.executemany("INSERT INTO names VALUES (?, ?)", rows)
        return given

    def of(self, device_id: str) -> tuple[str, ...]:
        """Return the names of a device, in alphabetical order."""
        rows = self._db.execute(
            "SELECT name FROM names WHERE device_id = ? ORDER BY 1", (device_id,)
        )
        return tuple(row["name"] for row in rows)

    def objection(self, device_id: str, asked: Collection[str]) -> str | None:
        """Return why it gets no certificate for what it `asked`; None if it does."""
        if not asked:
            return "no name in the request: write them into serve.names"
        given, own = self.of(device_id), self._own()
        for name in sorted(asked):
            if name not in given:
                return f"{name:.80}: this device was not given that name"
            if is_among(name, own):
                return f"{name:.80}: the backend's own name, which no device gets"
        return None

    def still_certified(
        self, device_id: str, names: Collection[str], now: datetime
    ) -> list[tuple[str, IssuedCertificate]]:
        """Return those of the names, with each certificate of another device that has them."""
        query = "SELECT * FROM certificates WHERE label = ? AND device_id != ? AND until > ?"
        rows = self._db.execute(query, (CertificateUse.SERVE, device_id, rfc3339(now)))
        return [
            (name, one)
            for one in map(issued_certificate, rows)
            for name in names_in(one.x509) & {*names}
        ]

    def _check(self, name: str, device_id: str) -> None:
        if is_among(name, self._own()):
            raise NameRefusedError(f"{name}: the backend's own name, which no device gets")
        self.check_free(name, device_id)

    def check_free(self, name: str, device_id: str = "") -> None:
        """Raise NameRefusedError if another device than this one has it, or has it as its id."""
        query = "SELECT device_id FROM names WHERE name = ? AND device_id != ?"
        if (found := self._db.execute(query, (name, device_id)).fetchone()) is not None:
            words = f"`devices names {found[0]}` with what it keeps takes it away"
            raise NameRefusedError(f"{name}: {found[0]} has that name; {words}")
        query = "SELECT device_id FROM enrolled WHERE lower(device_id) = ? AND device_id != ?"
        if (found := self._db.execute(query, (name, device_id)).fetchone()) is not None:
            raise NameRefusedError(f"{name}: the device {found[0]} is called so")

    def _own(self) -> frozenset[str]:
        return names_in(x509.load_pem_x509_certificate(self._server.read_bytes()))
