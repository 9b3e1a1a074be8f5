"""Answers: a status of HTTP and a body."""

import json
from dataclasses import dataclass
from typing import Any, Final

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; if the request had another method, `allow` names the permitted ones."""

    status: int
    body: bytes
    media_type: str = JSON
    allow: str | None = None


def told(document: dict[str, Any], status: int = 200) -> Answer:
    """Return a JSON document, compact and in ASCII."""
    return Answer(status, json.dumps(document, separators=(",", ":")).encode())


def refused(status: int, sentence: str) -> Answer:
    """Return an error for the client; every error has this form."""
    return told({"error": sentence}, status)
