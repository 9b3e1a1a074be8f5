"""The manifest in force: what sync fetched, verified once more by capture itself."""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime

from agent.config import Config, ManifestPolicy
from agent.errors import ConfigError, NotGenuine, NotNow, StorageFault
from agent.identity.current_fleet import CurrentFleet
from agent.process.offer_result import ACCEPTED, OfferResult
from agent.record import receipt
from agent.rule import manifest as manifests
from agent.rule import policy
from agent.rule.manifest import Manifest
from agent.rule.policy import Absent
from agent.trust.store import TrustStore
from hardware.change_detector import ChangeDetector
from hardware.clock import Clock, Moment

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _VerifiedManifest:
    """A verified manifest, and the version of the fleet document whose keys verified it."""

    manifest: Manifest
    token: str
    by_fleet: int | None


class CurrentManifest:
    """The keeper of the manifest: it accepts a genuine and newer one, and wipes it at its end.

    The process that faces the network does not decide: the signature is verified here. A press
    waits for no offer.
    """

    def __init__(
        self, config: Config, trust: TrustStore, clock: Clock, current_fleet: CurrentFleet
    ) -> None:
        self._is_off = config.policy.manifest is ManifestPolicy.OFF
        self._device_id = config.device.id
        self._trust = trust
        self._clock = clock
        self._current_fleet = current_fleet
        self._current: _VerifiedManifest | None = None
        self._newest: int | None = None
        self._is_read = False
        self._changing = threading.Lock()
        self._refused: ChangeDetector[str | None] = ChangeDetector(None)

    def in_force(self) -> Manifest | Absent:
        """Return the manifest in force now, or the reason why it is absent."""
        return self.at(self._clock.now())

    def at(self, moment: Moment) -> Manifest | Absent:
        """Return the manifest that decides a press of this moment; from any thread."""
        if self._is_off:
            return Absent.OFF
        current = self._current
        if current is None:
            return Absent.MISSING if self._newest is None else Absent.EXPIRED
        return policy.effective_manifest(current.manifest, moment, self._clock.floor)

    @property
    def refused(self) -> str | None:
        """Why the last manifest that was offered was not taken in; None when it was."""
        return self._refused.last

    def version(self) -> int | str:
        """Return a record's note on the manifest now."""
        return policy.version(self.in_force())

    @property
    def ends(self) -> datetime | None:
        """End of the manifest in force; None without one."""
        found = self.in_force()
        return None if isinstance(found, Absent) else found.ends

    def tick(self) -> None:
        """Read the manifest at the start, verify it again with new keys, and wipe it at its end.

        The loop calls this once a second. While an offer is being accepted, it does nothing.

        Raises:
            StorageFault: the disk failed; the manifest in force stays.
        """
        if not self._changing.acquire(blocking=False):
            return
        try:
            self._read_once()
            self._judge_again()
            if self._current is not None and self._is_over(self._current.manifest):
                self._wipe()
                _log.info("event=manifest_ended")
        finally:
            self._changing.release()

    def offer(self, token: str) -> OfferResult:
        """Accept a genuine and newer manifest; it is durable when this returns. From any thread."""
        if self._is_off:
            return OfferResult("policy.manifest is off: this device takes no manifest")
        try:
            offered = self._verified(token)
            with self._changing:
                self._read_once()
                result = self._taken(offered)
        except (NotGenuine, ConfigError, NotNow, StorageFault) as error:
            result = OfferResult(str(error), retry=True)
        if result.error is None:
            self._refused.last = None
        else:
            self._log_refused(result.error)
        return result

    def _read_once(self) -> None:
        """Load the manifest in `trust/`; do nothing once it was read or wiped."""
        if self._is_read:
            return
        self._trust.wipe_leftovers()
        if self._is_off:  # since today perhaps
            self._trust.wipe_manifest()
            self._is_read = True
            return
        self._newest = self._trust.manifest_version()
        token = self._trust.manifest()
        if token is not None:
            self._load(token)
        self._is_read = token is None or self._current is not None

    def _judge_again(self) -> None:
        """Verify the manifest again after a new fleet document, which may have revoked its key."""
        current = self._current
        if current is not None and current.by_fleet != self._current_fleet.version:
            self._load(current.token)

    def _load(self, token: str) -> None:
        """Load a manifest of any version that capture kept: no other process writes there."""
        try:
            self._current = self._verified(token)
        except (ConfigError, NotNow) as error:  # the keys may be readable the next time
            self._log_refused(str(error))
        except NotGenuine as error:  # of no more use, and it would never end
            self._wipe()
            self._log_refused(str(error))
        else:
            self._newest = max(self._current.manifest.version, self._newest or 0)

    def _taken(self, offered: _VerifiedManifest) -> OfferResult:
        manifest, current = offered.manifest, self._current
        is_same = current is not None and offered.token == current.token
        if not is_same and not self._is_newer(manifest):
            words = "is not newer than"
            return OfferResult(f"version {manifest.version} {words} {self._newest}, which was here")
        if self._is_over(manifest):
            return OfferResult("it has ended already", retry=True)  # by a clock that may be wrong
        if not is_same:
            self._trust.keep_manifest(offered.token, manifest.version)
            _log.info("event=manifest_taken version=%d", manifest.version)
        self._current = offered
        self._newest = manifest.version
        return ACCEPTED

    def _is_newer(self, manifest: Manifest) -> bool:
        """Return True if it is newer than any before; the newest counts too if it is not loaded.

        That one was wiped by a wrong clock, or a power cut kept its number alone.
        """
        current = self._current
        is_back = current is None or current.manifest.version < manifest.version
        return manifests.supersedes(manifest, self._newest) or (
            is_back and manifest.version == self._newest
        )

    def _wipe(self) -> None:
        self._current, self._is_read = None, False  # a card that fails just now is tried again
        self._trust.wipe_manifest()

    def _verified(self, token: str) -> _VerifiedManifest:
        by_fleet, keys = self._current_fleet.version, self._current_fleet.manifest_keys()
        manifest = manifests.read(token, receipt.public(keys), self._device_id)
        receipt.check_date(manifest.begins, token, keys)
        return _VerifiedManifest(manifest, token, by_fleet)

    def _is_over(self, manifest: Manifest) -> bool:
        return manifests.has_ended(manifest, self._clock.now(), self._clock.floor)

    def _log_refused(self, why: str) -> None:
        if self._refused.changed(why):
            _log.warning("event=manifest_refused why=%r", why)
