"""The obstacle between this device and the backend, as one word of a closed list."""

from dataclasses import dataclass
from datetime import UTC, datetime

from agent.status.troubles import Trouble


def of_answer(status: int) -> Trouble:
    """Return the meaning of an answer's status that no working backend gives."""
    match status:
        case 401 | 403:
            return Trouble.NOT_LET_IN
        case 423 | 429 | 503:
            return Trouble.BUSY
    return Trouble.NO_ANSWER


@dataclass
class Connectivity:
    """The result of asking for documents; an empty queue says nothing of the backend.

    Attributes:
        contact: its last proper answer, by this device's clock.
        blocked_reason: why it gave none the last time; None if it did, or was not asked yet.
    """

    contact: datetime | None = None
    blocked_reason: Trouble | None = None

    def answered(self) -> None:
        """Note a proper answer of the backend."""
        self.contact, self.blocked_reason = datetime.now(UTC), None


def for_status(
    records: Trouble | None,
    documents: Trouble | None,
    obstacle: str | None,
    *,
    is_enrolled: bool,
    has_ended: bool,
) -> Trouble | None:
    """Return the obstacle for the status; None without one.

    It is the worse of the two: a server that refuses a certificate may answer a short request and
    cut a long one off, whose body is still on its way.

    Args:
        records: why the last record did not get through.
        documents: the same of the last document.
        obstacle: why no record is sent at all, as text: no receipt could be verified.
        is_enrolled: True if there is a TLS certificate now; earlier reasons may be over.
        has_ended: True if the TLS certificate has: a server that refuses it may just hang up.
    """
    if not is_enrolled:
        return Trouble.NOT_ENROLLED
    reasons = {records, documents} - {Trouble.NOT_ENROLLED}
    found = next((one for one in Trouble if one in reasons), None)
    if obstacle is not None:
        found = found or Trouble.NO_FLEET
    return Trouble.CERTIFICATE if found and has_ended else found
