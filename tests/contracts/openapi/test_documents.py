"""The OpenAPI documents are valid, and name the routes that there are."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema_rs
import pytest
import schemathesis
from starlette.routing import Route

from agent.config import load
from agent.process import control
from agent.record import signing
from agent.serve.answer import HttpAnswer
from agent.serve.answers import Answers
from agent.serve.connection import METHODS
from agent.status.document import document
from agent.status.values import QueuePart, plain
from doorstep_backend import keys
from doorstep_backend.api.service import Api
from doorstep_backend.app import create_app
from doorstep_backend.identity.est import Identity
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.office.model import open_office
from doorstep_backend.pages import PREFIX
from doorstep_backend.wire.intake import Intake
from doorstep_backend.wire.store import Store
from tests.contracts.openapi.documents import ALL, BACKEND, OFFICE, SERVE, allowed, read
from tests.support.device import Device


@pytest.mark.parametrize("path", ALL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_document_is_openapi_3_1_and_all_that_it_refers_to_is_there(path: Path) -> None:
    """Its schemas are JSON schema, and nothing in its components is left over."""
    text, document = path.read_text(), read(path)
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_path(path).validate()

    components = document["components"]
    for name in components["schemas"]:
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema_rs.meta.validate(components["schemas"][name])
        jsonschema_rs.Draft202012Validator(schema)
    for kind in ("parameters", "headers", "responses", "schemas"):
        for name in components.get(kind, {}):
            assert f'"#/components/{kind}/{name}"' in text, f"{name} is nowhere used"


def test_the_backends_device_routes_are_those_of_its_document(tmp_path: Path) -> None:
    document = read(BACKEND)

    assert device_routes(tmp_path) == {path: allowed(document, path) for path in document["paths"]}


def test_the_offices_routes_are_those_of_its_document(tmp_path: Path) -> None:
    document, mount = read(OFFICE), Api(open_office(Store(tmp_path))).mount()

    routes: dict[str, set[str]] = {}
    for route in mount.routes:
        assert isinstance(route, Route)
        routes.setdefault(mount.path + route.path, set()).update(route.methods or set())
    assert routes == {path: allowed(document, path) for path in document["paths"]}


def test_no_text_of_a_status_is_longer_than_its_document_says(tmp_path: Path) -> None:
    """Gauge, current sensor and accelerometer may fail at once."""
    device = Device(tmp_path)
    device.layout.make()
    words = dict.fromkeys(("energy", "position", "no_credentials"), "it says nothing; " * 9)
    with control.serve(device.layout.capture_socket, lambda *_: words):
        made = plain(document(load(device.config), QueuePart(0, 0, 0, 0)))
    schema = {"components": read(SERVE)["components"], "$ref": "#/components/schemas/Status"}

    assert len(made["capture"]["energy"]) > 100
    jsonschema_rs.Draft202012Validator(schema).validate(made)


def test_serves_routes_and_their_parameters_are_those_of_its_document(tmp_path: Path) -> None:
    """As it says itself, to a client that asks for something else."""
    paths = read(SERVE)["paths"]
    answers = Answers(load(Device(tmp_path).config), lambda: datetime.now(UTC))

    nothing, others = answers.answer("/other"), {path: f"{path}?other=1" for path in paths}

    assert told(nothing, "there are ") == set(paths)
    for path, target in others.items():
        named = {one["name"] for one in paths[path]["get"].get("parameters", [])}
        answer = answers.answer(target)
        assert answer.status == 400
        assert not named or told(answer, "each once: ") == named
        assert allowed(read(SERVE), path) == set(METHODS)


def told(answer: HttpAnswer, behind: str) -> set[str]:
    """The list at the end of a sentence."""
    sentence: str = json.loads(answer.body)["error"]
    return set(sentence.partition(behind)[2].split(", "))


def device_routes(folder: Path) -> dict[str, set[str]]:
    """Methods by path of a backend with all that devices ask; nothing for people or pullers."""
    store = Store(folder)
    app = create_app(
        store,
        Intake(store, signing.new_key),
        signing.new_key,
        office=open_office(store),
        documents=FleetDocuments(folder),
        identity=Identity.of(folder, keys.certificates(folder / "ca")),
    )
    routes: dict[str, set[str]] = {}
    for route in app.routes:
        assert isinstance(route, Route)
        assert not route.path.startswith(PREFIX)
        routes.setdefault(route.path, set()).update(route.methods or set())
    return routes
