"""What is answered: a status of HTTP and a body."""

import json
from dataclasses import dataclass
from typing import Any, Final

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `allow` names the methods that there are, where another was asked for."""

    status: int
    body: bytes
    media_type: str = JSON
    allow: str | None = None


def told(document: dict[str, Any], status: int = 200) -> Answer:
    """A JSON document, compact and in ASCII."""
    return Answer(status, json.dumps(document, separators=(",", ":")).encode())


def refused(status: int, sentence: str) -> Answer:
    """What is wrong, in words; every error looks like this."""
    return told({"error": sentence}, status)
