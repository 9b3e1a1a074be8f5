"""What a check of doctor found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad a finding is; NOTE asks for nothing now.

    LATER is a backend out of reach, or a camera that may not look just now.
    """

    OK = "ok"
    NOTE = "note"
    LATER = "later"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, how it is, and what to do; figures where there are any."""

    check: str
    level: Level
    words: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """JSON."""
        plain = {"check": self.check, "level": self.level, "words": self.words}
        return {**plain, "figures": dict(self.figures)} if self.figures else plain
