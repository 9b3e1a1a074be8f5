"""A store that dies between the steps of an intake, and a function that empties a store."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from doorstep_backend.wire.store import IntakeVerdict, Store, Upload
from tests.support.faulty.switches import Step, reach


class FaultyStore(Store):
    """The backend's store; after each step of an intake its process may die."""

    _thread = threading.local()
    """`has_settled`: whether this thread keeps a verdict that is not committed yet."""

    def keep(self, upload: Upload, content: bytes, *, accepted: bool) -> None:
        super().keep(upload, content, accepted=accepted)
        reach(Step.PUT)

    def read_back(self, upload: Upload, *, accepted: bool) -> None:
        super().read_back(upload, accepted=accepted)
        reach(Step.READ_BACK)

    def settle(self, verdict: IntakeVerdict) -> None:
        super().settle(verdict)
        self._thread.has_settled = True
        reach(Step.VERDICT)

    def release(self, upload: Upload, *, was_refused: bool, accepted: bool) -> None:
        super().release(upload, was_refused=was_refused, accepted=accepted)
        reach(Step.PIECES)

    @contextmanager
    def upload_locked(self, capture_id: str, *, waits: bool = True) -> Iterator[Upload | None]:
        """Hold an upload; the first hold that ends after `settle` is the intake's, and commits."""
        try:
            with super().upload_locked(capture_id, waits=waits) as found:
                yield found
            if getattr(self._thread, "has_settled", False):
                reach(Step.COMMIT)
        finally:
            self._thread.has_settled = False


def forget(store: Store) -> None:
    """Lose every upload, and the receipts too."""
    for (capture_id,) in store.db.execute("SELECT capture_id FROM uploads"):
        store.lose(capture_id)
