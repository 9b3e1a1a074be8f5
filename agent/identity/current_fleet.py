"""The fleet document in force: capture itself verified it, and it names the keys that count."""

import logging
import threading

from agent.config import Config, IdentityMode, Seal
from agent.errors import ConfigError, NotGenuine, NotNow, StorageFault
from agent.process.offer_result import ACCEPTED, OfferResult
from agent.record import file as recordfile
from agent.record import receipt, sealing, signing
from agent.record.receipt import Keys
from agent.record.sealing import Recipients
from agent.trust import fleet
from agent.trust.fleet import FleetDocument
from agent.trust.keys import given_recipients
from agent.trust.store import TrustStore
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)


class CurrentFleet:
    """The keeper of the fleet document: it accepts a genuine and newer one; for any thread.

    If identity is off, there is no document, and files hold the keys whose signatures count.
    """

    def __init__(self, config: Config, trust: TrustStore) -> None:
        self._is_off = config.identity.mode is IdentityMode.OFF
        self._seals = config.policy.seal is Seal.REQUIRED
        self._given = given_recipients(config)
        self._pinned_file = config.identity.fleet_key
        self._key_files = config.backend.receipt_keys
        self._trust = trust
        self._fleet: FleetDocument | None = None
        self._refused: ChangeDetector[str | None] = ChangeDetector(None)
        self._lacks: ChangeDetector[str | None] = ChangeDetector(None)
        self._changing = threading.Lock()

    @property
    def is_enrolled(self) -> bool:
        """True if a photo may be stored: the keys are known, and a sealed photo has a recipient."""
        return self._has_keys and (not self._seals or self._recipients is not None)

    @property
    def recipient_count(self) -> int | None:
        """Number of recipients of new records; None if they are not sealed, or it is unknown."""
        if not self._seals or not self._has_keys:
            return None
        return 0 if self._recipients is None else len(self._recipients.names)

    @property
    def version(self) -> int | None:
        """Version of the document in force."""
        found = self._fleet
        return None if found is None else found.version

    @property
    def refused(self) -> str | None:
        """Reason why the last offered document, or the one in `trust/`, does not count."""
        return self._refused.last

    def seal(self, body: bytes, has_photo: bool) -> tuple[bytes, str]:
        """Return the form in which a body is stored, and its media type.

        While there is no recipient, a body without a photo stays plain: it has nothing of a
        customer in it. No photo is made then (`is_enrolled`), and later documents keep recipients.
        """
        if not self._seals:
            return body, recordfile.BODY_TYPE
        if (recipients := self._recipients) is not None:
            return sealing.seal(body, recipients), sealing.SEALED_TYPE
        if has_photo:
            raise RuntimeError("a photo, and nobody to seal it to: ask `is_enrolled` first")
        return body, recordfile.BODY_TYPE

    @property
    def _has_keys(self) -> bool:
        return self._is_off or self._fleet is not None

    @property
    def _recipients(self) -> Recipients | None:
        if self._is_off or self._fleet is None:
            return self._given
        return self._fleet.recipients

    def receipt_keys(self) -> Keys:
        """Return the keys that may sign receipts.

        Raises:
            NotNow: there is no document yet.
            ConfigError: identity is off, and a file cannot be read.
        """
        found = self._current_document()
        return receipt.read_keys(self._key_files) if found is None else found.receipt_keys

    def manifest_keys(self) -> Keys:
        """Return the keys that may sign manifests; raises as `receipt_keys` does."""
        found = self._current_document()
        return receipt.read_keys(self._key_files) if found is None else found.manifest_keys

    def tick(self) -> None:
        """Read the document in `trust/`, once a second, until one is in force."""
        if not self._has_keys and self._changing.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._changing.release()
        if self._lacks.changed(lacking := self._lacking()) and lacking:
            _log.error(
                "event=not_enrolled meaning=presses_are_refused_until_sync_brings_%s", lacking
            )

    def offer(self, token: str) -> OfferResult:
        """Accept a genuine and newer document; it is durable when this returns."""
        if self._is_off:
            return OfferResult("identity.mode is off: this device takes no fleet document")
        with self._changing:
            try:
                self._take(token)
            except (NotGenuine, ConfigError, StorageFault) as error:
                self._refuse(str(error))
                return OfferResult(str(error), retry=True)
        self._refused.last = None
        return ACCEPTED

    def _lacking(self) -> str | None:
        if not self._has_keys:
            return "a_fleet"
        return None if self.is_enrolled else "a_fleet_that_names_recipients"

    def _current_document(self) -> FleetDocument | None:
        """Return the document; None if identity is off."""
        self.tick()  # sync may offer a manifest before this process has looked
        if self._fleet is None and not self._is_off:
            raise NotNow("not enrolled: no fleet document yet")
        return self._fleet

    def _look(self) -> None:
        tokens = self._trust.fleet()
        if not tokens:
            return
        try:
            self._fleet = fleet.document_in_force(tokens, self._pinned())
        except (NotGenuine, ConfigError) as error:
            self._refuse(str(error))
        else:
            self._refused.last = None

    def _take(self, token: str) -> None:
        pinned, before = self._pinned(), self._trust.fleet()
        tokens = fleet.extended_chain(before, token, pinned)
        found = fleet.document_in_force(tokens, pinned)
        kid = signing.thumbprint(pinned)
        if found.version < (newest := self._trust.fleet_version(kid) or 0):
            raise NotGenuine(f"version {found.version} is older than {newest}, which was here")
        if tokens != before:
            self._trust.keep_fleet_version(kid, found.version)
            self._trust.keep_fleet(tokens)
            _log.info("event=fleet_taken version=%d", found.version)
        self._fleet = found

    def _pinned(self) -> signing.PublicKey:
        if self._pinned_file is None:
            raise ConfigError("identity.fleet_key: missing")
        return signing.read_public_key(self._pinned_file, "the fleet's public key")

    def _refuse(self, why: str) -> None:
        if self._refused.changed(why):
            _log.warning("event=fleet_refused why=%r", why)
