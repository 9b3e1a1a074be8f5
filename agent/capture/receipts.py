"""The receipts that sync offers: capture verifies and keeps them, in `receipts/`."""

import hashlib
import logging

from agent.capture.turns import Turns
from agent.errors import NotGenuine, StorageFault
from agent.identity.current_fleet import CurrentFleet
from agent.models import LARGEST_RECORD_BYTES, CaptureId
from agent.process.control import Line
from agent.process.offer_result import MOST_RECEIPTS
from agent.queue.disk import RECORD_MODE, read_plain, release_ballast, write_unflushed
from agent.queue.paths import Layout
from agent.record.receipt import (
    Described,
    Keys,
    Receipt,
    claimed_id,
    verified_for_id,
    verified_receipt,
)

_log = logging.getLogger(__name__)


class Receipts:
    """The receipts on the card; any thread may offer some.

    A receipt is not flushed: sync has it in its queue, and offers it again if a power cut takes the
    file.

    Attributes:
        newest: the receipt that was accepted last; None before the first.
    """

    def __init__(self, layout: Layout, fleet: CurrentFleet) -> None:
        self.newest: Receipt | None = None
        self._layout = layout
        self._fleet = fleet
        self._turns = Turns()

    def offer(self, text: str) -> Line:
        """Keep each receipt that verifies; answer `{"refused": [...]}` with the other records' ids.

        Args:
            text: up to MOST_RECEIPTS, separated by white space.

        Raises:
            NotNow: there is no fleet document yet.
            ConfigError: identity is off, and a file with a key cannot be read.
            StorageFault: the disk failed or is full; offer them again.
        """
        tokens, refused = text.split(maxsplit=MOST_RECEIPTS)[:MOST_RECEIPTS], list[str]()
        with self._turns.take():
            keys = self._fleet.receipt_keys()
            release_ballast(self._layout.ballast)
            for token in tokens:
                try:
                    self._keep(token, keys)
                except NotGenuine as error:
                    refused.append(_name(token))
                    _log.warning("event=receipt_refused id=%s why=%r", refused[-1], str(error))
        return {"refused": refused}

    def _keep(self, token: str, keys: Keys) -> None:
        capture_id = claimed_id(token)
        path = self._layout.receipt(capture_id)
        try:
            if read_plain(path, len(token) + 1) == token.encode():
                return
        except OSError:  # none is there, or the disk lost it
            pass
        receipt = self._verified(token, capture_id, keys)
        write_unflushed(path, token.encode(), RECORD_MODE)
        self.newest = receipt

    def _verified(self, token: str, capture_id: CaptureId, keys: Keys) -> Receipt:
        """Return the receipt. A record that was deleted has no digest that could be compared."""
        try:
            content = read_plain(self._layout.record(capture_id), LARGEST_RECORD_BYTES + 1)
        except FileNotFoundError:
            if not self._layout.label(capture_id).exists():
                raise NotGenuine("there is no such record") from None
            return verified_for_id(token, capture_id, keys)
        except OSError as error:
            raise StorageFault(f"cannot read {capture_id}.rec: {error.strerror}") from error
        content = content or b""
        file = Described(capture_id, hashlib.sha256(content).hexdigest(), len(content))
        return verified_receipt(token, file, keys)


def _name(token: str) -> str:
    """Return the id of the record that a refused receipt names, or an empty text."""
    try:
        return claimed_id(token)
    except NotGenuine:
        return ""
