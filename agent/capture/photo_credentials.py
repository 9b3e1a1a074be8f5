"""Content Credentials for photos: whether, by which certificate, and why one has none."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from agent.config import Config, ContentCredentials, IdentityMode
from agent.identity.capture_certificates import Evidence
from agent.record import credentials
from agent.record.certificates import CertificateChain
from agent.record.credentials import NoLibrary, PhotoSigner, Source, Unsigned

_log = logging.getLogger(__name__)

SWITCHED_OFF: Final = "switched off"
"""By the configuration: that is no trouble."""

NO_CERTIFICATE: Final = "no evidence certificate yet"


class PhotoCredentials:
    """The signer of photos by the evidence certificate; a press waits neither for it nor for c2pa.

    Attributes:
        missing: why the last photo has no credentials although they are on; None if it has them,
            or if they are off.
    """

    def __init__(self, config: Config, evidence: Evidence) -> None:
        self._off = why_off(config)
        self._evidence = evidence
        self._chain: CertificateChain = ()
        self._signer: PhotoSigner | str = NO_CERTIFICATE
        self.missing: str | None = None
        if self._off is None:
            with suppress(NoLibrary):  # each photo will say so
                credentials.load()
            self.tick()

    def tick(self) -> None:
        """Take up another certificate that has come."""
        chain = self._evidence.chain
        if self._off is not None or chain is self._chain or not chain:
            return
        self._chain = chain
        try:
            self._signer = PhotoSigner(self._evidence.key, chain)
            self.missing = None
        except Unsigned as error:
            self._signer = str(error)

    def sign(
        self, photo: bytes, source: Source, claim: Mapping[str, Any]
    ) -> tuple[bytes, str | None]:
        """Return the photo with its credentials and None; or unchanged, with the reason as text."""
        if self._off is not None:
            return photo, self._off
        signed, missing = self._signed(photo, source, claim)
        if missing is not None and missing != self.missing:
            _log.error("event=credentials_missing why=%r meaning=photos_are_kept_without", missing)
        self.missing = missing
        return signed, missing

    def _signed(
        self, photo: bytes, source: Source, claim: Mapping[str, Any]
    ) -> tuple[bytes, str | None]:
        if isinstance(self._signer, str):
            return photo, self._signer
        try:
            return self._signer.sign(photo, source, claim), None
        except Unsigned as error:
            return photo, str(error)


def why_off(config: Config) -> str | None:
    """Return why this device's photos carry no credentials, as text; None if they do."""
    setting = config.policy.credentials
    if config.identity.mode is IdentityMode.OFF or setting is ContentCredentials.OFF:
        return SWITCHED_OFF
    return None
