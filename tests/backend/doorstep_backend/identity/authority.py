"""The fleet's certificate authority: what it puts into a certificate, whatever was asked for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.record import certificates, signing
from agent.record.signing import PrivateKey, PublicKey

TLS_LIFE: Final = timedelta(days=365)
"""A year: a device that is lost and never reported can be let out by waiting."""

CLIENT_LIFE: Final = timedelta(days=90)
"""Life of other systems' certificates: the office does not see where their keys are."""

CLOCK_SLACK: Final = timedelta(hours=1)
"""Time by which a TLS certificate begins early: the clock of the other end may be slow."""

EVIDENCE_BEGINS: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The clock of a device may say 1971, and what it signs then is to verify."""

OWN_BEGINS: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Beginning of the CA and of the server's first certificate: a device's clock may be years slow."""

OWN_ENDS: Final = datetime(3000, 1, 1, tzinfo=UTC)
"""Nobody renews these two; no device is in use for so long."""

ORGANIZATION: Final = "Doorstep reference backend"
"""In the CA's name."""

EVIDENCE_ENDS: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""No end that is known of. Source: RFC 5280 section 4.1.2.5."""


@dataclass(frozen=True, slots=True)
class Authority:
    """The CA's certificate and private key; P-256 on both sides."""

    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read `ca.pem` and `ca-key.pem` in `folder`."""
        key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
        assert isinstance(key, PrivateKey)
        return cls(x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()), key)

    @classmethod
    def new(cls) -> Self:
        """Make a CA; its name is another one than that of every other CA."""
        key = signing.new_key()
        unit = f"CA {x509.random_serial_number():x}"
        parts = {NameOID.ORGANIZATION_NAME: ORGANIZATION, NameOID.ORGANIZATIONAL_UNIT_NAME: unit}
        name = x509.Name([x509.NameAttribute(kind, text) for kind, text in parts.items()])
        public = key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = (
            _builder(name, name, public, OWN_BEGINS, OWN_ENDS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(identifier, critical=False)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    def tls(self, device_id: str, key: PublicKey, now: datetime) -> x509.Certificate:
        """Issue a certificate for mutual TLS as this device, and nothing else."""
        builder = self._for(device_id, key, now - CLOCK_SLACK, now + TLS_LIFE)
        return self._signed(builder, ExtendedKeyUsageOID.CLIENT_AUTH)

    def serve(
        self, device_id: str, key: PublicKey, names: Collection[str], now: datetime
    ) -> x509.Certificate:
        """Issue a certificate for a server of this device under these names, and nothing else."""
        return self._serving(self._for(device_id, key, now - CLOCK_SLACK, now + TLS_LIFE), names)

    def server(self, key: PublicKey, names: Collection[str]) -> x509.Certificate:
        """Issue a certificate without an end for the backend's server, from its first start on."""
        return self._serving(self._for(ORGANIZATION, key, OWN_BEGINS, OWN_ENDS), names)

    def client(self, name: str, key: PublicKey, now: datetime) -> x509.Certificate:
        """Issue a certificate for another system that asks for a status."""
        builder = self._for(name, key, now - CLOCK_SLACK, now + CLIENT_LIFE)
        return self._signed(builder, ExtendedKeyUsageOID.CLIENT_AUTH)

    def evidence(self, device_id: str, key: PublicKey) -> x509.Certificate:
        """Issue a certificate for signatures in records and photos, as C2PA asks of a signer."""
        builder = self._for(device_id, key, EVIDENCE_BEGINS, EVIDENCE_ENDS)
        return self._signed(builder, ExtendedKeyUsageOID.EMAIL_PROTECTION)

    def _for(
        self, name: str, key: PublicKey, begins: datetime, ends: datetime
    ) -> x509.CertificateBuilder:
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return _builder(named, self.certificate.subject, key, begins, ends)

    def _serving(
        self, builder: x509.CertificateBuilder, names: Collection[str]
    ) -> x509.Certificate:
        named = x509.SubjectAlternativeName(
            [certificates.general_name(name) for name in sorted(names)]
        )
        builder = builder.add_extension(named, critical=False)
        return self._signed(builder, ExtendedKeyUsageOID.SERVER_AUTH)

    def _signed(
        self, builder: x509.CertificateBuilder, use: x509.ObjectIdentifier
    ) -> x509.Certificate:
        issuer = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        named = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.value)
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([use]), False),
            (named, False),
        ]
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(self.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return what a key may sign. Source: RFC 5280 section 4.2.1.3."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
