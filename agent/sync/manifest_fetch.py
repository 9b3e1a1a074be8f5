"""Fetches the manifest: cheap to ask for, and looked at by capture alone."""

import logging
import random
import re
from typing import Final

from agent.errors import StorageFull
from agent.queue.manifests import ManifestStore
from agent.sync.http import Backend, NoAnswer
from hardware.told import Told

_log = logging.getLogger(__name__)

EVERY_S: Final = 60.0
"""How often the backend is asked, give or take a third: a changed route is at the door in a minute.

5,000 devices ask 83 times a second; nearly all answers are a 304 of a hundred bytes.
"""

_ETAG: Final = re.compile(r'(W/)?"[!#-~]{1,128}"')
"""What is sent back in If-None-Match: others make a request that no library sends.

Source: RFC 9110 section 8.8.3, in ASCII; 128 characters hold any digest.
"""


class ManifestFetch:
    """Asks for this device's manifest now and then; failures are for the next time."""

    def __init__(
        self, backend: Backend, manifest_store: ManifestStore, device_id: str, dice: random.Random
    ) -> None:
        self._backend = backend
        self._manifest_store = manifest_store
        self._device_id = device_id
        self._dice = dice
        self._due_s = float("-inf")
        self._logged = Told[str | None](None)

    def hurry(self) -> None:
        """Ask at the next turn: somebody waits at a `sync --once`."""
        self._due_s = float("-inf")

    def turn(self, now_s: float) -> None:
        """Ask when it is time (CLOCK_BOOTTIME).

        Raises:
            StorageFault: the disk or the database failed; a full disk is for the next time, since
                what waits to be sent is what frees it.
            NotNow: there is no queue yet.
        """
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S * self._dice.uniform(2 / 3, 4 / 3)
        if self._logged.is_news(answer := self._outcome()):
            _log.info("event=manifest answer=%r", answer)

    def _outcome(self) -> str:
        """What asking came to, in words."""
        try:
            return self._ask()
        except NoAnswer as error:
            return str(error)
        except StorageFull:
            return "no room to keep a manifest"

    def _ask(self) -> str:
        etag = self._manifest_store.etag()
        with self._backend.attempt():
            answer = self._backend.manifest(self._device_id, etag)
        if answer.status == 200:
            return self._take(answer.body, answer.headers.get("ETag", ""))
        told = {304: "unchanged", 404: "no route for this device"}
        return told.get(answer.status, f"answered {answer.status}")

    def _take(self, body: bytes, etag: str) -> str:
        """Any 200 may be a captive portal's; capture verifies."""
        try:
            token = body.decode("ascii")
        except ValueError:
            return "not a manifest: not text"
        self._manifest_store.offer(token, etag if _ETAG.fullmatch(etag) else None)
        return "fetched"
