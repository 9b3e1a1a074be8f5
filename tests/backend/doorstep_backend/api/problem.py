"""Refusals as RFC 9457 problem details, which name every fault of a document."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"

HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""On every answer: it is about one customer or one day."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a request.

    Attributes:
        place: a JSON pointer into the body, as `#/codes/0`, or the name of a parameter.
        detail: a sentence for the developer of the other system.
    """

    place: str
    detail: str

    def members(self) -> dict[str, str]:
        """Return the fault as RFC 9457 section 3 has it in its example."""
        name = "pointer" if self.place.startswith("#") else "parameter"
        return {name: self.place, "detail": self.detail}


class WrongDocumentError(ValueError):
    """A document that is refused as a whole, for all these faults; nothing was changed."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = list(faults)


def pointer(*names: str | int) -> str:
    """Return a JSON pointer as a URI fragment. Source: RFC 6901 sections 3 and 6."""
    escaped = (str(name).replace("~", "~0").replace("/", "~1") for name in names)
    return "#" + "".join(f"/{quote(name, safe='~', errors='replace')}" for name in escaped)


def refusal(error: HTTPException) -> Response:
    """Return the problem of an error that has a status and a sentence."""
    return _problem(error.status_code, error.detail, error.headers or {})


def faults_found(error: WrongDocumentError) -> Response:
    """Return the problem of a document with faults."""
    detail = "nothing was changed; `errors` names every fault"
    return _problem(422, detail, {}, errors=[one.members() for one in error.faults])


def _problem(status: int, detail: str, headers: Mapping[str, str], **more: Any) -> Response:
    title = HTTPStatus(status).phrase
    members = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return json_answer(members, status, headers, MEDIA_TYPE)


def json_answer(
    members: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """Return an answer in JSON and ASCII, because it may quote text that is no valid Unicode."""
    text = json.dumps(members, separators=(",", ":"))
    return Response(text, status, {**HEADERS, **(headers or {})}, media_type)
