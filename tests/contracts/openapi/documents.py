"""The OpenAPI documents, and real answers held against them."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import requests  # noqa: TID251 - the test's own side of the wire
import schemathesis
from schemathesis.specs.openapi import checks

from tests.contracts.openapi import hooks
from tests.support.factory import decoded

REPOSITORY: Final = Path(__file__).parents[3]

BACKEND: Final = REPOSITORY / "tests" / "backend" / "openapi.json"
"""Answers of a backend to its devices."""

SERVE: Final = REPOSITORY / "agent" / "serve" / "openapi.json"
"""Answers of `doorstep serve` to its clients."""

OFFICE: Final = REPOSITORY / "tests" / "backend" / "openapi-office.json"
"""Answers of a backend's office to other systems."""

ALL: Final = [BACKEND, SERVE, OFFICE]

_CHECKS: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

_METHODS: Final = frozenset({"get", "head", "options", "patch", "post", "put", "delete", "trace"})


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def operations(document: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """By method and path, as `("GET", "/fleet")`."""
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    }


def answers(document: Mapping[str, Any]) -> set[tuple[str, str, int]]:
    """Every answer that the document promises, by method, path and status."""
    return {
        (*place, int(status))
        for place, operation in operations(document).items()
        for status in operation["responses"]
    }


def allowed(document: Mapping[str, Any], path: str) -> set[str]:
    """The value of `Allow` at a path: HEAD is there if GET is."""
    methods = {method for method, place in operations(document) if place == path}
    return methods | ({"HEAD"} if "GET" in methods else set())


def validator(document: Mapping[str, Any], pointer: str) -> Any:
    """For one schema in the document, with all that it refers to."""
    schema = {"$ref": pointer, "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


class Held:
    """Answers that were held against a document.

    Attributes:
        seen: the answers that came, by method, path as in the document, and status.
    """

    def __init__(self, path: Path) -> None:
        hooks.register()
        self.document = read(path)
        self.seen: set[tuple[str, str, int]] = set()
        self._schema = schemathesis.openapi.from_path(path)

    def hold(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """A hook of `requests`. Raises for an answer that is not as the document says."""
        method, path = str(response.request.method), self._template(response)
        named = dict.fromkeys(re.findall(r"{(\w+)}", path), "any")
        case = self._schema[path][method].Case(path_parameters=named)
        case.validate_response(response, checks=_CHECKS)
        for name, token in _signed(response):
            self._check_signed(name, token)
        self.seen.add((method, path, response.status_code))

    def _template(self, response: requests.Response) -> str:
        asked = response.request.path_url.partition("?")[0]
        paths: list[str] = list(self.document["paths"])
        return next(path for path in paths if _fits(path, asked))

    def _check_signed(self, name: str, token: str) -> None:
        """Validate the contents of a signature, which no reader of HTTP checks."""
        header, payload = (json.loads(decoded(part)) for part in token.split(".")[:2])
        inside = validator(self.document, f"#/components/schemas/{name}/contentSchema")
        inside.validate([header, payload])


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) is not None


def _signed(response: requests.Response) -> Collection[tuple[str, str]]:
    """Return the signed parts of an answer, each with the name of its schema."""
    found = [
        (schema, response.headers[header])
        for header, schema in (
            ("Doorstep-Receipt", "SignedReceipt"),
            ("Doorstep-Refusal", "SignedRefusal"),
        )
        if header in response.headers
    ]
    if response.headers.get("Content-Type") == "application/jose" and response.content:
        which = "SignedFleet" if response.request.path_url == "/fleet" else "SignedManifest"
        found.append((which, response.text))
    return found
