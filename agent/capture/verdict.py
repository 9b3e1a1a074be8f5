"""What came of a document that was offered."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is in hand now.

    Attributes:
        why: why not, in words that quote nothing of it; None when it is.
        again: whether it is worth fetching again, since another answer may come then.
    """

    why: str | None = None
    again: bool = False

    def told(self) -> dict[str, Any]:
        """As the socket tells it."""
        if self.why is None:
            return {"taken": True}
        return {"taken": False, "why": self.why, "again": self.again}


TAKEN = Verdict()
