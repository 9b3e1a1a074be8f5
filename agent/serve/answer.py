"""Answers: a status of HTTP and a body."""

import json
from dataclasses import dataclass
from typing import Any, Final

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer; if the request had another method, `allow` names the permitted ones."""

    status: int
    body: bytes
    media_type: str = JSON
    allow: str | None = None


def json_answer(document: dict[str, Any], status: int = 200) -> HttpAnswer:
    """Return a JSON document, compact and in ASCII."""
    return HttpAnswer(status, json.dumps(document, separators=(",", ":")).encode())


def refused(status: int, sentence: str) -> HttpAnswer:
    """Return an error for the client; every error has this form."""
    return json_answer({"error": sentence}, status)
