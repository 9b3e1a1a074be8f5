"""The manifest in force: what sync fetched, verified once more by capture itself."""

import logging

from agent.config import Config, ManifestPolicy
from agent.errors import ConfigError, NotGenuine
from agent.queue.manifests import ManifestStore, Stored
from agent.record import receipt
from agent.rule import manifest as manifests
from agent.rule import policy
from agent.rule.manifest import Manifest
from agent.rule.policy import Absent
from hardware.clock import Clock, Moment
from hardware.told import Told

_log = logging.getLogger(__name__)


class CurrentManifest:
    """Takes in a manifest that is genuine and newer, and wipes it when it has ended.

    The process that faces the network does not decide: the signature is verified here.
    """

    def __init__(self, config: Config, manifest_store: ManifestStore, clock: Clock) -> None:
        self._is_off = config.policy.manifest is ManifestPolicy.OFF
        self._device_id = config.device.id
        self._key_files = config.backend.receipt_keys
        self._manifest_store = manifest_store
        self._clock = clock
        self._manifest: Manifest | None = None
        self._token: str | None = None
        self._newest: int | None = None
        self._has_wiped = self._was_looked_for = False
        self._refused: Told[str | None] = Told(None)

    def in_force(self) -> Manifest | Absent:
        """The manifest in force now, or why there is none."""
        return self.at(self._clock.now())

    def at(self, moment: Moment) -> Manifest | Absent:
        """What a press of this moment is decided by."""
        if self._is_off:
            return Absent.OFF
        if self._manifest is None and self._newest is not None:
            return Absent.EXPIRED
        return policy.standing(self._manifest, moment, self._clock.floor)

    @property
    def refused(self) -> str | None:
        """Why the last manifest that was offered was not taken in; None when it was."""
        return self._refused.last

    def version(self) -> int | str:
        """What a record of now says of it."""
        return policy.version(self.in_force())

    def turn(self) -> None:
        """Look at what is stored, once a second.

        Raises:
            StorageFault: the disk or the database failed; the one in hand stays.
        """
        if self._has_wiped:
            self._has_wiped = not self._manifest_store.empty_log()
        if self._is_off and self._was_looked_for:
            return
        stored = self._manifest_store.stored()
        if self._is_off:  # since today perhaps
            if stored.token or stored.offered:
                self._wipe()
            self._was_looked_for = True
            return
        if stored.version is not None:
            self._newest = max(stored.version, self._newest or 0)
        self._keep_in_hand(stored)
        if stored.offered is not None:
            self._consider(stored.offered)
        elif self._refused.last is None:
            self._refused.last = stored.refused
        if self._manifest is not None and self._is_over(self._manifest):
            self._wipe()
            _log.info("event=manifest_ended")

    def _keep_in_hand(self, stored: Stored) -> None:
        if stored.token == self._token:
            return
        if stored.token is None:
            if self._manifest is not None and self._token is not None:  # the queue was made again
                self._manifest_store.take(self._token, self._manifest.version)
            return
        try:
            manifest = self._read(stored.token)
        except ConfigError as error:  # the keys may be readable the next time
            self._log_refused(str(error))
            return
        except NotGenuine as error:  # of no more use, and it would never end
            self._wipe()
            self._log_refused(str(error))
            return
        if manifest.version >= (self._newest or 0):
            self._manifest, self._token = manifest, stored.token
        elif self._manifest is not None and self._token is not None:  # put there by somebody else
            self._manifest_store.take(self._token, self._manifest.version)
        else:
            self._wipe()

    def _consider(self, token: str) -> None:
        version = self._newest
        try:
            manifest = self._read(token)
        except (NotGenuine, ConfigError) as error:
            self._refuse(token, str(error), again=True)
            return
        is_same = token == self._token
        if not is_same and not self._is_newer(manifest, version):
            words = f"version {manifest.version} is not newer than {version}, which this device had"
            self._refuse(token, words, again=False)
        elif self._is_over(manifest):
            self._refuse(token, "it has ended already", again=True)  # by a clock that may be wrong
        else:
            self._manifest_store.take(token, manifest.version)
            self._manifest, self._token, self._refused.last = manifest, token, None
            self._newest = manifest.version
            if not is_same:
                _log.info("event=manifest_taken version=%d", manifest.version)

    def _is_newer(self, manifest: Manifest, version: int | None) -> bool:
        """The same version comes again when the one in hand was wiped by a clock that was wrong."""
        is_back = self._manifest is None and manifest.version == version
        return is_back or manifests.supersedes(manifest, version)

    def _wipe(self) -> None:
        self._manifest_store.wipe()
        self._manifest = self._token = None
        self._has_wiped = not self._manifest_store.empty_log()

    def _read(self, token: str) -> Manifest:
        keys = receipt.read_keys(self._key_files)
        return manifests.read(token, receipt.public(keys), self._device_id)

    def _is_over(self, manifest: Manifest) -> bool:
        return manifests.has_ended(manifest, self._clock.now(), self._clock.floor)

    def _refuse(self, token: str, why: str, *, again: bool) -> None:
        self._manifest_store.refuse(token, why, again=again)
        self._log_refused(why)

    def _log_refused(self, why: str) -> None:
        if self._refused.is_news(why):
            _log.warning("event=manifest_refused why=%r", why)
