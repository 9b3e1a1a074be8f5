"""Signatures: ES256 keys and compact JWS; the only importer of PyJWT and of cryptography's keys."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm  # noqa: TID251 - the only importer
from jwt.api_jws import PyJWS  # noqa: TID251 - the only importer
from jwt.exceptions import InvalidKeyError, InvalidTokenError  # noqa: TID251 - the only importer

from agent.errors import ConfigError, NotGenuine, UnknownSigner, not_read
from hardware.foreign import SMALL_BYTES, read_file, read_json

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

_jws = PyJWS(algorithms=["ES256"])

_COMPACT: Final = re.compile(r"[\w-]{1,8192}\.[\w-]+\.[\w-]{85}[AQgw]", re.ASCII)
"""The one spelling of a compact ES256 JWS: no padding, no stray bits behind the 64 bytes.

PyJWT passes over trailing `=`, and another spelling has another digest. Source: RFC 7515
section 2, RFC 4648 section 3.5.

The header is parsed before the signature is verified, so its length is limited. A header of 4 MB
took 132 MB; ours have 300 characters.
"""


UNKNOWN_SIGNER: Final = "signed by a key that is not trusted here"
"""Message about an unknown signer; `doctor` adds the remedy."""

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""n, the order of P-256. Source: NIST SP 800-186, section 3.2.1.3."""


def new_key() -> PrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: PrivateKey) -> bytes:
    """Write the key as unencrypted PKCS 8 PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: PublicKey) -> bytes:
    """Write the key as SubjectPublicKeyInfo PEM."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_private_key(path: Path) -> PrivateKey:
    """Read a P-256 private key from a PEM file.

    Raises:
        ConfigError: it cannot be read, or is another kind of key.
    """
    try:
        key = serialization.load_pem_private_key(read_file(path, SMALL_BYTES), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: not a usable private key: {error}") from error
    if not isinstance(key, PrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError(f"{path}: not a P-256 private key; ES256 needs one")
    return key


def read_public_key(path: Path, what: str = "a public key") -> PublicKey:
    """Read a P-256 public key from a PEM file; `what` names the expected key in errors.

    Raises:
        ConfigError: it cannot be read, or is another kind of key; NotReadNow if that may pass.
    """
    try:
        return public_key(read_file(path, SMALL_BYTES))
    except NotGenuine as error:
        raise ConfigError(f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        raise not_read(path, what, error) from error


def public_key(pem: bytes) -> PublicKey:
    """Read a P-256 public key in PEM.

    Raises:
        NotGenuine: it is another kind of key.
        ValueError: it is no key.
    """
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, PublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NotGenuine("not a P-256 public key; ES256 needs one")
    return key


def jwk(key: PublicKey) -> dict[str, str]:
    """Return the key as a JSON Web Key: exactly the members that RFC 7638 hashes."""
    members = ECAlgorithm.to_jwk(key, as_dict=True)
    return {name: members[name] for name in ("crv", "kty", "x", "y")}


def thumbprint(key: PublicKey) -> str:
    """Return the key's RFC 7638 SHA-256 thumbprint, base64url without padding; our `kid`."""
    return _thumbprint(jwk(key))


def _thumbprint(members: Mapping[str, str]) -> str:
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()


def sign(
    payload: Mapping[str, Any],
    key: PrivateKey,
    *,
    embed_key: bool = False,
    typ: str | None = None,
) -> str:
    """Sign `payload` as a compact JWS; its header carries `kid`, `typ`, and the `jwk` if asked."""
    headers = {"typ": typ} | _named(key, embed_key)
    text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    return _jws.encode(text, key, algorithm="ES256", headers=headers)


@lru_cache(maxsize=8)
def _named(key: PrivateKey, embed_key: bool) -> dict[str, Any]:
    """Name a key in a header; kept, because calculating it takes as long as the signature."""
    members = jwk(key.public_key())
    named: dict[str, Any] = {"kid": _thumbprint(members)}
    return named | {"jwk": members} if embed_key else named


def verify(token: str, keys: Mapping[str, PublicKey], *, typ: str | None = None) -> dict[str, Any]:
    """Return the payload of a JWS signed by one of `keys` (by thumbprint).

    With `typ` it must say that it is of this type (RFC 8725 section 3.11).

    Raises:
        UnknownSigner: by another key.
        NotGenuine: malformed, altered, or of another type.
    """
    if not _COMPACT.fullmatch(token):
        raise NotGenuine("not a compact ES256 signature")
    try:
        payload = read_json(_jws.decode(token, _trusted(token, keys), algorithms=["ES256"]))
    except UnknownSigner:
        raise  # it is a ValueError too
    except (InvalidTokenError, InvalidKeyError) as error:
        raise NotGenuine("not a valid signature") from error
    except ValueError as error:
        raise NotGenuine(f"not a valid signature: {error}") from error
    if typ is not None:
        check_type(token, typ)
    if not isinstance(payload, dict):
        raise NotGenuine("signed, but its payload is not a JSON object")
    return payload


def other_spelling(token: str) -> str:
    """Return a verified JWS with the other signature that verifies: n - s in place of s.

    Anybody can turn one into the other without the key, and signers write either: RFC 7518 section
    3.4 does not say which. So two spellings of one label are one label.
    """
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    s = _ORDER - int.from_bytes(raw[32:], "big")
    other = base64.urlsafe_b64encode(raw[:32] + s.to_bytes(32, "big")).rstrip(b"=").decode()
    return f"{signed}.{other}"


def unverified_payload(token: str, *, typ: str | None = None) -> dict[str, Any]:
    """Return the payload of a JWS of an unknown signer: nothing in it is to be believed.

    Raises:
        NotGenuine: malformed, or of another type.
    """
    if not _COMPACT.fullmatch(token):
        raise NotGenuine("not a compact ES256 signature")
    if typ is not None:
        check_type(token, typ)
    return _members(token.split(".")[1], "its payload")


def has_type(token: str, typ: str | None = None) -> bool:
    """Return True if the header of a verified JWS names this type, or any type."""
    header = _header(token)
    return "typ" in header and (typ is None or header["typ"] == typ)


def check_type(token: str, typ: str) -> None:
    """Raise NotGenuine where a JWS that was verified is of another type, or of none."""
    if _header(token).get("typ") != typ:
        raise NotGenuine(f"signed, but not a {typ}: its type is another")


def _trusted(token: str, keys: Mapping[str, PublicKey]) -> PublicKey:
    key = keys.get(str(_header(token).get("kid")))
    if key is None:
        raise UnknownSigner(UNKNOWN_SIGNER)
    return key


def _header(token: str) -> dict[str, Any]:
    """Read the header by `read_json`: PyJWT takes the last of two members of one name.

    PyJWT also looks at each character of the payload for it: of 4 MB, for a second.
    """
    return _members(token.partition(".")[0], "its header")


def _members(text: str, what: str) -> dict[str, Any]:
    try:
        members = read_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError as error:
        raise NotGenuine(f"{what} is not right: {error}") from error
    if not isinstance(members, dict):
        raise NotGenuine(f"{what} is not right: not a JSON object")
    return members


def embedded_key(token: str) -> PublicKey:
    """Return the public key in the header of a JWS; the caller must know its owner.

    Raises:
        NotGenuine: there is none, or not a P-256 key.
    """
    try:
        return from_jwk(_header(token).get("jwk"))
    except NotGenuine as error:
        raise NotGenuine(f"the signature's header: {error}") from error


def from_jwk(members: object) -> PublicKey:
    """Read the public key in a JSON Web Key.

    Raises:
        NotGenuine: not a P-256 public key.
    """
    try:
        key = ECAlgorithm.from_jwk(members if isinstance(members, dict) else {})
    except (InvalidKeyError, ValueError, TypeError, RecursionError) as error:
        raise NotGenuine(f"no usable key: {error}") from error
    if not isinstance(key, PublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NotGenuine("not a P-256 public key")
    return key


def key_id(token: str) -> str:
    """Return the `kid` in the header of a verified JWS; empty if it names none."""
    return str(_header(token).get("kid") or "")
