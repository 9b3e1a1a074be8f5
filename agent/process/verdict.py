"""What came of a document that was offered to capture: it tells, and whoever offered reads."""

from dataclasses import dataclass
from typing import Self

from agent.process.control import Line


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is in hand now.

    Attributes:
        why: why not, in words that quote nothing of it; None when it is.
        again: whether it is worth fetching again, since another answer may come then.
    """

    why: str | None = None
    again: bool = False

    def told(self) -> Line:
        """As the socket tells it."""
        if self.why is None:
            return {"taken": True}
        return {"taken": False, "why": self.why, "again": self.again}

    @classmethod
    def read(cls, answer: Line) -> Self:
        """What the socket told; whatever else it may be is a refusal."""
        if answer.get("taken") is True:
            return cls()
        return cls(str(answer.get("why", "capture did not say why")), bool(answer.get("again")))


TAKEN = Verdict()
