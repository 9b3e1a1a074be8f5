"""Content Credentials: a photo's C2PA manifest, signed and read; the only importer of c2pa.

Source: C2PA Technical Specification 2.2. The library is loaded by the first signer or reader, not
by this module: it is 23 MB of machine code. Nothing here asks a network.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from agent import __version__
from agent.errors import DoorstepError, NotGenuine
from agent.record import certificates, jumbf, signing, usages
from agent.record.certificates import CertificateChain
from agent.record.signing import PrivateKey
from hardware.foreign import read_json

LABEL: Final = "doorstep.capture"
"""Label of the assertion that says which record this photo belongs to."""

OUTSIDE: Final = "outside its validity"
"""Why a photo is not signed: its certificate is not for now, by this machine's clock."""

PHOTO_LIMIT_BYTES: Final = 16_777_216
"""Longest photo whose manifest is looked for: c2pa takes twice its length in memory.

At quality 95, a photo of 12 megapixels has 12 MB if it shows noise, and 3 MB if it shows a door.
"""

IPTC: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_JPEG: Final = "image/jpeg"

_SETTINGS: Final[Mapping[str, Any]] = {
    "version": 1,
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {
        "verify_after_sign": False,  # a second hash of the photo, at every press
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
    },
}


class Source(StrEnum):
    """The source of a picture, as IPTC's NewsCodes name it.

    CAPTURE: the device's own sensor.
    COMPOSITE: any video device: what it shows may be made of anything, and no name says that.
    ALGORITHM: drawn by a program.
    """

    CAPTURE = IPTC + "digitalCapture"
    COMPOSITE = IPTC + "composite"
    ALGORITHM = IPTC + "algorithmicMedia"


class CredentialsState(StrEnum):
    """The value of a manifest.

    TRUSTED: whole, and by a certificate of the given authority.
    VALID: whole, by an unknown signer.
    ENDED: the same, and today is outside the validity of the signer's certificate.
    """

    TRUSTED = "trusted"
    VALID = "valid"
    ENDED = "ended"
    INVALID = "invalid"


_WHOLE: Final = {"Trusted": CredentialsState.TRUSTED, "Valid": CredentialsState.VALID}
"""States of a whole manifest, by c2pa's names."""

_ROOM_BYTES: Final[Mapping[str, int]] = {"0.91.3": 9}
"""Room behind the digest of a photo without an earlier manifest, by the version of c2pa-rs.

With an earlier one, which the new one replaces, it is a byte longer. Measured in December 2026 with
photos of 1 KB to 14 MB and chains of one and two certificates; another version is not judged.
"""

_UNTRUSTED: Final = "signingCredential.untrusted"
_EXPIRED: Final = "signingCredential.expired"
"""Errors of c2pa that concern a certificate alone. Source: C2PA 2.2 section 15.2.2."""


class NoLibrary(DoorstepError, RuntimeError):
    """The error if c2pa is missing on this machine, or is built for another one."""


class Unsigned(Exception):
    """A photo that stays without credentials; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The contents of a photo's manifest.

    Attributes:
        reasons: why it is not trusted; empty if it is.
        chain: the signer's certificate and those above it; empty if the manifest is invalid.
        capture: our assertion's content, as it is; empty without one.
        source: the digitalSourceType; empty without one.
        agent: version of the program that made it; empty if it names no version of ours.
        is_resigned: True if the photo had a manifest before this one.
    """

    state: CredentialsState
    reasons: tuple[str, ...]
    chain: CertificateChain = ()
    capture: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    agent: str = ""
    is_resigned: bool = False


class PhotoSigner:
    """A signer of photos by one certificate.

    Args:
        key: the key that `chain` is for.
        chain: the evidence certificate and those above it, without the root.

    Raises:
        Unsigned: the library is missing, or it refuses them, or the certificate is for another key
            or another use.
    """

    def __init__(self, key: PrivateKey, chain: CertificateChain) -> None:
        if not certificates.is_for(chain[0], key.public_key()):
            raise Unsigned("failed: the evidence certificate is for another key")
        try:
            usages.check_credentials(chain[0])
        except NotGenuine as error:
            raise Unsigned(_failed(error)) from error
        try:
            self._c2pa = load()
            self._context = self._c2pa.Context.from_dict(dict(_SETTINGS))
            info = self._c2pa.C2paSignerInfo(
                b"es256", certificates.pem(chain), signing.private_pem(key), None
            )
            self._signer = self._c2pa.Signer.from_info(info)
        except NoLibrary as error:
            raise Unsigned(f"failed: {error}") from error
        except self._c2pa.C2paError as error:
            raise Unsigned(_failed(error)) from error
        self._leaf = chain[0]

    def sign(self, photo: bytes, source: Source, capture: Mapping[str, Any]) -> bytes:
        """Add the manifest to a photo; no byte of it may change afterwards.

        Raises:
            Unsigned: outside the certificate's validity by this machine's clock, or it failed.
        """
        starts, ends = certificates.starts(self._leaf), certificates.ends(self._leaf)
        if not starts <= datetime.now(UTC) <= ends:
            raise Unsigned(OUTSIDE)
        signed = BytesIO()
        try:
            builder = self._c2pa.Builder(_definition(source, capture), self._context)
            builder.sign(self._signer, _JPEG, BytesIO(photo), signed)
        except self._c2pa.C2paError as error:
            raise Unsigned(_failed(error)) from error
        return signed.getvalue()


def load() -> ModuleType:
    """Load c2pa, which takes its time; later calls are for nothing.

    Raises:
        NoLibrary: it cannot be loaded.
    """
    if found := sys.modules.get("c2pa"):
        return found
    try:
        with _in_the_root_folder():
            import c2pa  # noqa: PLC0415, TID251 - the only importer; the library is heavy
    except (ImportError, OSError, RuntimeError) as error:
        words = "c2pa cannot be loaded; install c2pa-python in this environment"
        raise NoLibrary(f"{words}: {str(error)[:120]}") from error
    library: ModuleType = c2pa
    return library


@contextmanager
def _in_the_root_folder() -> Iterator[None]:
    """Change to / meanwhile: c2pa takes machine code, also foreign, from the current folder."""
    before = None
    with suppress(OSError):
        before = Path.cwd()
    os.chdir("/")
    try:
        yield
    finally:
        with suppress(OSError):  # one that this user may not enter: nothing relative led there
            os.chdir(before or "/")


def read(photo: bytes, anchor_pem: str | None) -> Credentials | None:
    """Read the manifest in a photo and judge it; None if the photo has none.

    `anchor_pem` are the authorities to trust; without them, nothing is better than VALID. Only the
    form in which a device writes it is accepted: no byte of the photo can be another one, except
    for the signature's second spelling (`signing.other_spelling`).

    A photo of more than PHOTO_LIMIT_BYTES is INVALID: no device makes one. The library gets only a
    photo in that form: for another one, of 64 KB, c2pa-python 0.38.1 took 396 MB.

    Raises:
        NoLibrary: c2pa cannot be loaded.
    """
    c2pa = load()
    if len(photo) > PHOTO_LIMIT_BYTES:
        return Credentials(CredentialsState.INVALID, (f"longer than {PHOTO_LIMIT_BYTES} bytes",))
    try:
        if not jumbf.has_any(photo):
            return None
        form = jumbf.form(photo)
        chain = tuple(map(certificates.read_der, form.chain))
    except (NotGenuine, ValueError) as error:
        return Credentials(CredentialsState.INVALID, (str(error),))
    trust = {"trust": {"user_anchors": anchor_pem}} if anchor_pem else {}
    try:
        context = c2pa.Context.from_dict({**_SETTINGS, **trust})
        reader = c2pa.Reader.try_create(_JPEG, BytesIO(photo), context=context)
        if reader is None:
            return None
        with reader:
            told = read_json(reader.json())
    except (c2pa.C2paError, ValueError) as error:
        return Credentials(CredentialsState.INVALID, (_words(error),))
    return _judged(chain, told, form.room_bytes)


def _judged(chain: CertificateChain, told: Mapping[str, Any], room_bytes: int) -> Credentials:
    results = told.get("validation_results", {}).get("activeManifest", {})
    failures = {one.get("code"): _reason(one) for one in results.get("failure", ())}
    said = told.get("manifests", {}).get(told.get("active_manifest"), {})
    capture, source = _capture(said), _source(said)
    worth = _WHOLE.get(str(told.get("validation_state")), CredentialsState.INVALID)
    if worth is CredentialsState.INVALID:
        altered = tuple(
            words for code, words in failures.items() if code not in {_UNTRUSTED, _EXPIRED}
        )
        if altered or _EXPIRED not in failures:
            return Credentials(
                CredentialsState.INVALID, altered or ("not whole",), (), capture, source
            )
        worth = CredentialsState.ENDED
    is_resigned = _ROOM_BYTES.get(_library(said), room_bytes) != room_bytes
    return Credentials(
        worth, tuple(failures.values()), chain, capture, source, _agent(said), is_resigned
    )


def _definition(source: Source, capture: Mapping[str, Any]) -> dict[str, Any]:
    created = {"action": "c2pa.created", "digitalSourceType": source}
    return {
        "claim_generator_info": [{"name": "doorstep", "version": __version__}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}, "created": True},
            {"label": LABEL, "data": dict(capture), "created": True},
        ],
    }


def _assertion(said: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """Return an assertion that the signer answers for; those from others do not count."""
    for one in said.get("assertions", ()):
        if one.get("label") == label and one.get("created") and isinstance(one.get("data"), dict):
            found: Mapping[str, Any] = one["data"]
            return found
    return {}


def _capture(said: Mapping[str, Any]) -> Mapping[str, Any]:
    return _assertion(said, LABEL)


def _source(said: Mapping[str, Any]) -> str:
    match _assertion(said, "c2pa.actions.v2").get("actions"):
        case [{"digitalSourceType": str(source)}, *_]:
            return source
    return ""


def _agent(said: Mapping[str, Any]) -> str:
    match said.get("claim_generator_info"):
        case [{"name": "doorstep", "version": str(version)}]:
            return version
    return ""


def _library(said: Mapping[str, Any]) -> str:
    match said.get("claim_generator_info"):
        case [{"org.contentauth.c2pa_rs": str(version)}]:
            return version
    return ""


def _reason(failure: Mapping[str, Any]) -> str:
    return f"{failure.get('explanation') or 'failed'} ({failure.get('code')})"


def _words(error: Exception) -> str:
    return f"{str(error)[:120] or type(error).__name__}"


def _failed(error: Exception) -> str:
    return f"failed: {_words(error)}"
