"""The copies on disk: each is made when somebody first looks, in a thread, and then kept."""

import logging
from pathlib import Path
from typing import Final

import anyio

from tests.backend.copies.faces import FaceFinder, NoModel
from tests.backend.copies.making import NotMade, made
from tests.backend.copies.shows import Shows
from tests.backend.wire.store import Store

log = logging.getLogger(__name__)

NONE_SHOWN: Final = "faces cannot be blurred, so that no photo is shown to anybody: %s"
"""At the start; devices are served all the same."""


class Copies:
    """Copies of the store's photos, which are never changed. Only the thread of the store asks.

    Attributes:
        can_be_made: False without the model: then nothing is to be shown.
    """

    def __init__(self, store: Store) -> None:
        """Loads the model; says in the log when it cannot."""
        self._store = store
        for part in (store.folder / "copies").glob("*.part"):  # the last process died at it
            part.unlink()
        self._finder = _loaded()
        self._one_at_a_time = anyio.CapacityLimiter(1)  # OpenCV uses all processors for one

    @property
    def can_be_made(self) -> bool:
        return self._finder is not None

    async def copy(self, capture_id: str, shows: Shows) -> bytes:
        """The copy, made now when it is the first look; that takes seconds.

        Raises:
            LookupError: the photo is gone, perhaps since it was asked for.
            ValueError: it is no picture that can be shown.
            NotMade: it cannot be told where faces are.
        """
        copy = self._store.copy_file(capture_id, shows)
        if copy.exists():
            return _read(copy)
        return await anyio.to_thread.run_sync(
            self._make, capture_id, shows, limiter=self._one_at_a_time
        )

    def _make(self, capture_id: str, shows: Shows) -> bytes:
        if self._finder is None:
            raise NotMade("there is no face model")
        photo, copy = self._store.photo_file(capture_id), self._store.copy_file(capture_id, shows)
        if copy.exists():  # by who asked just before
            return _read(copy)
        content = made(_read(photo), shows, self._finder)
        self._store.write(str(copy.relative_to(self._store.folder)), content)
        if not photo.exists():  # whoever erases takes the photo first, then its copies
            copy.unlink(missing_ok=True)
            raise LookupError("no such photo")
        return content


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise LookupError("no such photo") from error


def _loaded() -> FaceFinder | None:
    try:
        return FaceFinder()
    except NoModel as error:
        log.error(NONE_SHOWN, error)  # noqa: TRY400 - its sentence says it all
        return None
