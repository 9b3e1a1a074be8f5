"""The finding of a check of doctor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """The level of a finding; NOTE asks for nothing now.

    LATER is a backend out of reach, or a camera that may not look just now.
    """

    OK = "ok"
    NOTE = "note"
    LATER = "later"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check: its name, its level and the remedy; figures if there are any."""

    check: str
    level: Level
    words: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Return the finding as JSON types."""
        plain = {"check": self.check, "level": self.level, "words": self.words}
        return {**plain, "figures": dict(self.figures)} if self.figures else plain
