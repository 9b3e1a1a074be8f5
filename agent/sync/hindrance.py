"""What keeps this device from getting through, as one word of a closed list."""

from dataclasses import dataclass
from datetime import UTC, datetime

from agent.status.troubles import Trouble


def of_answer(status: int) -> Trouble:
    """What an answer means that is none of a backend that does its work, by its status."""
    match status:
        case 401 | 403:
            return Trouble.NOT_LET_IN
        case 423 | 429 | 503:
            return Trouble.BUSY
    return Trouble.NO_ANSWER


@dataclass
class Reach:
    """What asking for documents has told of the backend; a queue that is empty tells nothing.

    Attributes:
        contact: when it last answered as a backend does, by this device's clock.
        hindrance: why it did not the last time; None where it did, or was not asked yet.
    """

    contact: datetime | None = None
    hindrance: Trouble | None = None

    def answered(self) -> None:
        """It answered as a backend does."""
        self.contact, self.hindrance = datetime.now(UTC), None


def told(
    records: Trouble | None,
    documents: Trouble | None,
    obstacle: str | None,
    *,
    is_enrolled: bool,
    has_ended: bool,
) -> Trouble | None:
    """What the status says; None where nothing is in the way.

    The worse of the two: a server that refuses a certificate may say so of a short request and cut
    a long one off, whose body is still on its way.

    Args:
        records: why the last record did not get through.
        documents: the same of the last document.
        obstacle: why no record is sent at all, in words: no receipt could be verified.
        is_enrolled: whether there is a TLS certificate now; what was told before may be over.
        has_ended: whether the TLS certificate has: who refuses it may hang up without a word.
    """
    if not is_enrolled:
        return Trouble.NOT_ENROLLED
    reasons = {records, documents} - {Trouble.NOT_ENROLLED}
    found = next((one for one in Trouble if one in reasons), None)
    if obstacle is not None:
        found = found or Trouble.NO_FLEET
    return Trouble.CERTIFICATE if found and has_ended else found
