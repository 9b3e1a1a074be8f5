"""The smallest backend, beyond what the conformance command asks of every backend."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from tests.support.factory import new_id
from tests.support.small_backends import SmallBackend, python_backend
from tests.support.wire import (
    PHOTO,
    Wire,
    announce,
    begun_post,
    named,
    proven,
    speaking_to,
    tls_line,
)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallBackend]:
    with python_backend(tmp_path_factory.mktemp("smallest")) as running:
        yield running


@pytest.fixture
def wire(backend: SmallBackend) -> Iterator[Wire]:
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        yield wire


def receipt(backend: SmallBackend, wire: Wire, capture_id: str) -> dict[str, object]:
    found = wire.receipts(capture_id).json()[capture_id]
    return proven(backend.receipt_key_file, found["receipt"])


@pytest.mark.slow
def test_restart_gives_the_same_receipt_and_keeps_an_unfinished_upload(
    backend: SmallBackend, wire: Wire
) -> None:
    whole, begun = new_id(), new_id()
    wire.post(whole, PHOTO, PHOTO)
    wire.post(begun, PHOTO, PHOTO[:1000])
    before = receipt(backend, wire, whole)

    backend.restart()

    assert receipt(backend, wire, whole) == before
    assert wire.head(whole).headers["Upload-Offset"] == str(len(PHOTO))
    assert wire.head(begun).headers["Upload-Offset"] == "1000"
    assert "Doorstep-Receipt" in wire.patch(begun, 1000, PHOTO[1000:]).headers


def test_full_disk_gets_no_receipt_and_the_device_begins_again(
    backend: SmallBackend, wire: Wire
) -> None:
    """A folder in the place of the new file stands for the full disk: both are an OSError."""
    capture_id = new_id()
    obstacle = backend.received_file(capture_id).with_suffix(".new")
    obstacle.mkdir()

    with pytest.raises(requests.ConnectionError):
        wire.post(capture_id, PHOTO, PHOTO)
    obstacle.rmdir()

    assert wire.head(capture_id).status_code == 404
    assert "Doorstep-Receipt" in wire.post(capture_id, PHOTO, PHOTO).headers


def test_silent_connections_delay_nobody(backend: SmallBackend, wire: Wire) -> None:
    """A client does not begin TLS, the other stops in the middle of a body."""
    announced = announce(new_id(), PHOTO)

    with (
        socket.create_connection(("127.0.0.1", backend.port)),
        begun_post(backend.port, backend.ca_file, announced, PHOTO[:1000]),
    ):
        answer = wire.post(new_id(), PHOTO, PHOTO)

    assert "Doorstep-Receipt" in answer.headers


def test_body_of_unknown_length_is_no_other_request(backend: SmallBackend, wire: Wire) -> None:
    """The bytes could hide a request from a proxy; nothing is kept, and the connection ends."""
    capture_id = new_id()
    fields = announce(capture_id, PHOTO) | {"Transfer-Encoding": "chunked"}
    lines = "".join(f"{name}: {text}\r\n" for name, text in fields.items())
    hidden = "GET /manifest HTTP/1.1\r\n\r\n"

    with tls_line(backend.port, backend.ca_file) as line, line.makefile("rb") as answers:
        line.sendall(f"POST /files HTTP/1.1\r\n{lines}\r\n{hidden}".encode())
        answer = answers.read()

    assert answer.startswith(b"HTTP/1.1 201 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert wire.head(capture_id).headers["Upload-Offset"] == "0"


def test_negative_length_begins_no_upload(wire: Wire) -> None:
    capture_id = new_id()

    answer = wire.post(capture_id, PHOTO, **{"Upload-Length": "-5"})

    assert answer.status_code == 460
    assert wire.head(capture_id).status_code == 404


# --- the manifest


def put(backend: SmallBackend, device_id: str, text: str) -> Path:
    file = backend.data / "manifests" / f"{device_id}.jws"
    file.write_text(text)
    return file


def test_manifest_is_the_file_of_the_device_that_is_named(
    backend: SmallBackend, wire: Wire
) -> None:
    put(backend, "van-7", "a.b.c\n")
    first = wire.get("/manifest", **named("van-7"))
    tag = {"If-None-Match": first.headers["ETag"]}
    unchanged = wire.get("/manifest", **named("van-7"), **tag)
    put(backend, "van-7", "a.b.d\n")
    changed = wire.get("/manifest", **named("van-7"), **tag)

    assert (first.status_code, first.text) == (200, "a.b.c")
    assert (unchanged.status_code, unchanged.text) == (304, "")
    assert (changed.status_code, changed.text) == (200, "a.b.d")
    assert wire.get("/manifest", **named("van-8")).status_code == 404


@pytest.mark.parametrize("name", ["../van-7", "", "/etc/passwd", "van-7/../van-7", "."])
def test_manifest_of_a_name_that_is_no_device_is_401(wire: Wire, name: str) -> None:
    assert wire.get("/manifest", **named(name)).status_code == 401


def test_manifest_without_a_name_is_401(wire: Wire) -> None:
    assert wire.get("/manifest").status_code == 401
