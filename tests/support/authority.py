"""A certificate authority for tests: issues what it is asked to, right or wrong."""

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.record import certificates, signing

FOR_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """A CA with its key; `above` are its own certificate's issuers, without the root."""

    key: signing.PrivateKey
    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        return certificates.pem([self.certificate])

    def issue(
        self,
        key: signing.PublicKey,
        name: str,
        *,
        starts: datetime | None = None,
        life: timedelta = YEAR,
        evidence: bool = False,
        server: bool = False,
        names: Collection[str] = ("127.0.0.1",),
        ca: bool = False,
        critical: bool = True,
        signs: bool = True,
        purposes: Collection[x509.ObjectIdentifier] | None = None,
    ) -> x509.Certificate:
        """Issue a certificate for `key`: of a device's TLS unless it is for something else.

        `names` are a server's; `critical` is that of its key usage, and `signs` whether the key may
        sign; `purposes` replace those of its kind.
        """
        began = starts or datetime.now(UTC) - timedelta(minutes=1)
        is_for_ever = evidence and starts is None
        begins, ends = FOR_EVER if is_for_ever else (began, began + life)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        usage = ExtendedKeyUsageOID.EMAIL_PROTECTION if evidence else usage
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by, valid = self.certificate.subject, (begins, ends)
        made = _builder(key, named, by, valid, ca=ca, critical=critical, signs=signs)
        made = made.add_extension(issuer, critical=False)
        if wanted := [] if ca else [usage] if purposes is None else purposes:
            made = made.add_extension(x509.ExtendedKeyUsage(wanted), critical=False)
        if server:
            others = x509.SubjectAlternativeName(map(certificates.general_name, names))
            made = made.add_extension(others, critical=False)
        return made.sign(self.key, hashes.SHA256())

    def revoking(self, *revoked: x509.Certificate) -> bytes:
        """List certificates that are over before their time, PEM (RFC 5280 section 5)."""
        now = datetime.now(UTC) - timedelta(minutes=1)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(now).next_update(now + YEAR)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now).build())
        made = builder.sign(self.key, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    def below(self, name: str) -> "Authority":
        """Make an intermediate authority."""
        key = signing.new_key()
        certificate = self.issue(key.public_key(), name, life=YEAR * 5, ca=True)
        return Authority(key, certificate, (certificate, *self.above))


def new_authority(
    name: str = "Test fleet CA",
    subject: Sequence[x509.NameAttribute[str]] = (),
    *,
    key_usage: bool = True,
) -> Authority:
    """Make a root; without a key usage, as `openssl req -x509` does."""
    key = signing.new_key()
    now = datetime.now(UTC) - timedelta(minutes=1)
    called = x509.Name([*subject, x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = _builder(
        key.public_key(), called, called, (now, now + YEAR * 10), ca=True, usage=key_usage
    )
    return Authority(key, made.sign(key, hashes.SHA256()))


def _builder(
    key: signing.PublicKey,
    name: x509.Name,
    issuer: x509.Name,
    valid: tuple[datetime, datetime],
    *,
    ca: bool,
    critical: bool = True,
    signs: bool = True,
    usage: bool = True,
) -> x509.CertificateBuilder:
    uses = x509.KeyUsage(
        digital_signature=signs and not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=not signs,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0].replace(microsecond=0))
        .not_valid_after(valid[1].replace(microsecond=0))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    return made.add_extension(uses, critical=critical) if usage else made


def certs_only(found: Sequence[x509.Certificate], *, wrapped: bool = True) -> bytes:
    """Make an EST answer's body."""
    der = pkcs7.serialize_certificates(list(found), serialization.Encoding.DER)
    return base64.encodebytes(der) if wrapped else base64.b64encode(der)
