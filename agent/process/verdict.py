"""Capture's answer to a document that another process offered."""

from dataclasses import dataclass
from typing import Self

from agent.process.control import Line


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an offered document.

    Attributes:
        why: reason of a refusal, which quotes nothing of the document; None if capture accepted it.
        again: True if it is worth fetching again, since another answer may come then.
    """

    why: str | None = None
    again: bool = False

    def told(self) -> Line:
        """Return the answer for the socket."""
        if self.why is None:
            return {"taken": True}
        return {"taken": False, "why": self.why, "again": self.again}

    @classmethod
    def read(cls, answer: Line) -> Self:
        """Read the answer of the socket; anything unknown counts as a refusal."""
        if answer.get("taken") is True:
            return cls()
        return cls(str(answer.get("why", "capture did not say why")), bool(answer.get("again")))


TAKEN = Verdict()
