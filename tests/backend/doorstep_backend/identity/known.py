"""The register's knowledge of a device and of a certificate."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography import x509

from agent.models import from_rfc3339
from doorstep_backend.engines.sql import Row


class CertificateUse(StrEnum):
    """The use of a certificate; all but the first are also labels in the EST path."""

    TLS = "tls"
    EVIDENCE = "evidence"
    SERVE = "serve"


class DeviceState(StrEnum):
    """GONE: it will not come back, and what it drove was taken from it."""

    IN = "in"
    REVOKED = "revoked"
    GONE = "gone"


class CertificateState(StrEnum):
    """SUPERSEDED: a newer one of the same device was used."""

    LIVE = "live"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate that was issued here.

    Attributes:
        serial: in hex, as `openssl x509 -serial` prints it but in lower case.
        kid: thumbprint of its public key.
        cloned_at: when it was first used after it was superseded.
    """

    number: int
    serial: str
    device_id: str
    use: CertificateUse
    kid: str
    until: datetime
    state: CertificateState
    first_used_at: datetime | None
    cloned_at: datetime | None
    pem: str

    @property
    def x509(self) -> x509.Certificate:
        """Certificate, read from `pem`."""
        return x509.load_pem_x509_certificate(self.pem.encode())


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device as the office lists it; `token_waits` is one that nobody has used."""

    device_id: str
    state: DeviceState
    token_waits: bool
    certificates: tuple[IssuedCertificate, ...]


def issued_certificate(row: Row) -> IssuedCertificate:
    """Make an issued certificate from a row of `certificates`."""
    return IssuedCertificate(
        number=row["number"],
        serial=row["serial"],
        device_id=row["device_id"],
        use=CertificateUse(row["label"]),
        kid=row["kid"],
        until=from_rfc3339(row["until"]),
        state=CertificateState(row["state"]),
        first_used_at=_instant(row["first_used_at"]),
        cloned_at=_instant(row["cloned_at"]),
        pem=row["pem"],
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else from_rfc3339(text)
