"""Delivers records over one backend, and remembers from attempt to attempt how that went."""

from collections.abc import Callable
from dataclasses import replace

from agent.errors import NotNow
from agent.models import CaptureId, Item
from agent.record.receipt import Keys, Receipt, Refusal
from agent.sync.attempt import PIECE_BYTES, Attempt
from agent.sync.outcome import NoService, Outcome
from agent.wire.http import Backend


class Delivery:
    """The delivery of records to one backend.

    Args:
        backend: the client of the backend.
        keys: returns the keys that may sign receipts and refusals now; raises NotNow without any.
        keep_url: called with the item and the address that the backend gave its upload.
        on_unknown_signer: called when a receipt or a refusal is by a key that is not among them.
        on_upload: called before each attempt.
    """

    def __init__(
        self,
        backend: Backend,
        keys: Callable[[], Keys],
        keep_url: Callable[[Item, str], None],
        on_unknown_signer: Callable[[], None] = lambda: None,
        on_upload: Callable[[], None] = lambda: None,
    ) -> None:
        self._backend = backend
        self._keys = keys
        self._keep_url = keep_url
        self._on_unknown_signer = on_unknown_signer
        self._on_upload = on_upload
        self._piece_bytes = PIECE_BYTES
        self._furthest: dict[CaptureId, int] = {}

    def obstacle(self) -> str | None:
        """Return why no attempt can succeed yet, as text; None when one can."""
        try:
            self._keys()
        except NotNow as error:
            return str(error)
        return None

    def send(self, item: Item, content: bytes) -> Outcome:
        """Make one attempt, as long as `Limits.attempt_s` at most.

        Args:
            item: its row, with this attempt booked.
            content: the record file's bytes, verified against the row.

        Raises:
            NotNow: there is an obstacle.
        """
        self._on_upload()
        attempt = Attempt(
            self._backend,
            self._keys(),
            self._keep_url,
            item,
            content,
            on_unknown_signer=self._on_unknown_signer,
        )
        attempt.piece_bytes = self._piece_bytes
        with self._backend.attempt():
            outcome = attempt.run()
            if not isinstance(outcome, Receipt | Refusal):
                self._backend.hang_up()
        self._piece_bytes = attempt.piece_bytes
        return self._in_view_of_earlier(item.capture_id, outcome, attempt.found)

    def _in_view_of_earlier(self, about: CaptureId, outcome: Outcome, found: int) -> Outcome:
        match outcome:
            case Receipt() | Refusal():
                if isinstance(outcome, Receipt):
                    self._piece_bytes = min(2 * self._piece_bytes, PIECE_BYTES)
                self._furthest.pop(about, None)
            case NoService() if found > self._furthest.get(about, 0):
                self._furthest[about] = found
                return replace(outcome, moved=True)
        return outcome

    def interrupt(self) -> None:
        """End a running attempt from another thread; later ones end at once with NoService."""
        self._backend.interrupt()
