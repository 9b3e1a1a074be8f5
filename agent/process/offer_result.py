"""Most receipts that capture takes at once, and its answer to a document that was offered."""

from dataclasses import dataclass
from typing import Final, Self

from agent.process.control import Line

MOST_RECEIPTS: Final = 100
"""Most receipts in one offer: 46 KB, of the 64 KB that a line of the socket may have."""


@dataclass(frozen=True, slots=True)
class OfferResult:
    """The result of an offered document.

    Attributes:
        error: reason of a refusal, without a word of the document; None if capture accepted it.
        retry: True if it is worth fetching again, since another answer may come then.
    """

    error: str | None = None
    retry: bool = False

    def reply(self) -> Line:
        """Return the answer for the socket."""
        if self.error is None:
            return {"taken": True}
        return {"taken": False, "why": self.error, "again": self.retry}

    @classmethod
    def read(cls, answer: Line) -> Self:
        """Read the answer of the socket; anything unknown counts as a refusal."""
        if answer.get("taken") is True:
            return cls()
        return cls(str(answer.get("why", "capture did not say why")), bool(answer.get("again")))


ACCEPTED = OfferResult()
