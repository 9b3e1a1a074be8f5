"""The keys of valid receipts, by the newest fleet document that sync has verified itself."""

import logging
from collections.abc import Callable

from agent.errors import NotGenuine, NotNow
from agent.record.receipt import Keys
from agent.record.signing import PublicKey
from agent.trust import fleet
from agent.trust.fleet import FleetDocument
from agent.trust.store import TrustStore
from hardware.change_detector import ChangeDetector

_log = logging.getLogger(__name__)


class FleetKeys:
    """The fleet document in memory: while capture is down it is newer than the one in `trust/`.

    Args:
        pinned: the fleet key that this device was given.
        trust: the store in which capture keeps verified documents.
    """

    def __init__(self, pinned: PublicKey, trust: TrustStore) -> None:
        self._pinned = pinned
        self._trust = trust
        self._tokens: tuple[str, ...] = ()
        self._fleet: FleetDocument | None = None
        self._doubted = ChangeDetector[str | None](None)

    def keys(self) -> Keys:
        """Return the keys that may sign receipts and refusals now.

        Raises:
            NotNow: there is no fleet document yet.
        """
        if self._fleet is None and (tokens := self._trust.fleet()):
            self._adopt(lambda: tokens)
        if self._fleet is None:
            raise NotNow("not enrolled: no fleet document yet")
        return self._fleet.receipt_keys

    def tag(self) -> str | None:
        """Return the ETag of capture's document, whose successor capture can accept."""
        return fleet.tag(self._trust.fleet(), self._pinned)

    def offer_update(self, token: str) -> None:
        """Use this document if it is genuine and newer."""
        before = self._tokens or self._trust.fleet()
        self._adopt(lambda: fleet.extended_chain(before, token, self._pinned))

    def _adopt(self, find: Callable[[], tuple[str, ...]]) -> None:
        try:
            tokens = find()
            found = fleet.document_in_force(tokens, self._pinned)
        except NotGenuine as error:
            if self._doubted.changed(str(error)):
                _log.warning("event=fleet_doubted why=%r", str(error))
            return
        self._doubted.last = None
        self._tokens, self._fleet = tokens, found
