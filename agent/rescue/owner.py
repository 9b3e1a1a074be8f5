"""The owner of the card: the device by its own certificate, the fleet by its issuer."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from agent.errors import NotGenuine
from agent.queue.disk import read_plain
from agent.record import certificates
from agent.record.certificates import CertificateChain, NotTrusted
from agent.rescue.places import below

_PEM_MOST_BYTES: Final = 65_536
"""Three certificates are 3 KB."""


class FleetMatch(StrEnum):
    """The relation of the card to this machine's fleet."""

    OURS = "ours"
    ANOTHERS = "another's"
    NOT_COMPARED = "not compared"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Owner:
    """The device's evidence certificate.

    Attributes:
        device_id: None if the card has no such certificate.
        issuer: its issuer's name, as the certificate gives it.
        chain: the certificate and those stored with it.
    """

    fleet: FleetMatch
    device_id: str | None = None
    issuer: str | None = None
    chain: CertificateChain = ()


def owner(state: Path, ours: CertificateChain) -> Owner:
    """Read the owner from the state; `ours` are the authorities that count, empty if not given."""
    folder = below(state, "trust")
    try:
        content = read_plain(folder / "evidence.pem", _PEM_MOST_BYTES) if folder else None
        chain = certificates.read_pem(content or b"")
    except (OSError, NotGenuine):
        return Owner(FleetMatch.UNKNOWN)
    fleet = _fleet(chain, ours) if ours else FleetMatch.NOT_COMPARED
    name = certificates.common_name(chain[0]) or None
    return Owner(fleet, name, chain[0].issuer.rfc4514_string(), chain)


def _fleet(chain: CertificateChain, ours: CertificateChain) -> FleetMatch:
    try:
        certificates.path(chain[0], chain, ours)
    except NotTrusted:
        return FleetMatch.ANOTHERS
    return FleetMatch.OURS
