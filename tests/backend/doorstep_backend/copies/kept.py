"""The copies that are kept: each is made when somebody first looks, in a thread, and then kept."""

import logging
from contextlib import suppress
from typing import Final

import anyio

from doorstep_backend.copies.faces import FaceFinder, NoModel
from doorstep_backend.copies.making import NotMade, made
from doorstep_backend.copies.shows import Shows
from doorstep_backend.engines.objects import Missing
from doorstep_backend.wire.asking import in_page_thread
from doorstep_backend.wire.store import Store

log = logging.getLogger(__name__)

NONE_SHOWN: Final = "faces cannot be blurred, so that no photo is shown to anybody: %s"
"""At the start; devices are served all the same."""


class Copies:
    """Copies of the store's photos, which are never changed.

    Attributes:
        can_be_made: False without the model: then nothing is to be shown.
    """

    def __init__(self, store: Store) -> None:
        """Load the model; log if that fails."""
        self._store = store
        self._finder = _loaded()
        self._one_at_a_time = anyio.CapacityLimiter(1)  # OpenCV uses all processors for one

    @property
    def can_be_made(self) -> bool:
        """True if the face model was loaded."""
        return self._finder is not None

    async def copy(self, capture_id: str, shows: Shows) -> bytes:
        """Return the copy, which the first view makes; that takes seconds.

        Raises:
            Missing: the photo is gone, perhaps since it was asked for.
            ValueError: it is no picture that can be shown.
            NotMade: the search for faces failed, or there is no model.
        """
        sha256 = await in_page_thread(self._store.sha256_of, capture_id)
        with suppress(Missing):
            return await in_page_thread(self._store.copy, capture_id, shows)
        return await anyio.to_thread.run_sync(
            self._kept_or_made, capture_id, sha256, shows, limiter=self._one_at_a_time
        )

    def _kept_or_made(self, capture_id: str, sha256: str, shows: Shows) -> bytes:
        with suppress(Missing):
            return self._store.copy(capture_id, shows)  # by who asked just before
        if self._finder is None:
            raise NotMade("there is no face model")
        content = made(self._store.photo_of(capture_id, sha256), shows, self._finder)
        self._store.keep_copy(capture_id, sha256, shows, content)
        return content


def _loaded() -> FaceFinder | None:
    try:
        return FaceFinder()
    except NoModel as error:
        log.error(NONE_SHOWN, error)  # noqa: TRY400 - its sentence says it all
        return None
