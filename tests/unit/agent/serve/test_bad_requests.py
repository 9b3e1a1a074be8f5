"""A wrong request gets an error message, and has no other effect."""

import json
import re
import socket
from contextlib import closing, suppress

import pytest

from tests.support.served import ServingDevice

pytestmark = pytest.mark.slow

NO_REQUEST = "not a request of HTTP/1.1"
TOO_LONG = "the whole request may have 8192 bytes"
HOST = b"Host: van\r\n"


def said(van: ServingDevice, text: bytes) -> bytes:
    """All that is answered to some bytes, until the other end has closed."""
    with closing(van.connect(van.client_file)) as line:
        line.sendall(text)
        heard = b""
        while piece := line.recv(65_536):
            heard += piece
    return heard


def one(heard: bytes) -> tuple[int, str | None]:
    """The one answer, its status and what it says is wrong."""
    head, _, body = heard.partition(b"\r\n\r\n")
    version, status, _ = head.split(b" ", 2)
    assert version == b"HTTP/1.1"
    found = re.search(rb"Content-Length: (\d+)", head)
    assert found
    assert int(found[1]) == len(body)
    return int(status), json.loads(body).get("error") if body else None


LONG = b"a" * 8_200


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        (b"GET /v1/status\r\n\r\n", 400, NO_REQUEST),
        (b"GET\r\n\r\n", 400, NO_REQUEST),
        (b"\r\n\r\n", 400, NO_REQUEST),
        (b"GET /v1/status with spaces HTTP/1.1\r\n\r\n", 400, NO_REQUEST),
        (b"GET /v1/status HTTP/one\r\n\r\n", 400, NO_REQUEST),
        (b"GET /v1/status FTP/1.1\r\n\r\n", 400, NO_REQUEST),
        (b"\x00\xff\x16\x03\x01 \x80 \x90\r\n\r\n", 400, NO_REQUEST),
        (b"GET /v1/status HTTP/2.0\r\n\r\n", 505, "this speaks HTTP/1.1"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "this speaks HTTP/1.1"),
        (b"GET /" + LONG + b" HTTP/1.1\r\n\r\n", 414, f"the address is too long: {TOO_LONG}"),
        (b"GET / HTTP/1.1\r\nA: " + LONG, 431, f"the headers are too long: {TOO_LONG}"),
        (b"GET / HTTP/1.1\r\n" + b"A: a\r\n" * 101, 431, "the headers are too long"),
        (b"GET / HTTP/1.1\r\n" + b"A: aaaaaaaa\r\n" * 700, 431, "the headers are too long"),
    ],
)
def test_invalid_request_is_answered_in_words(
    van: ServingDevice, text: bytes, status: int, words: str
) -> None:
    """And ends the connection: what follows it may be anything."""
    code, error = one(said(van, text))

    assert (code, (error or "").startswith(words)) == (status, True), error


NOTHING = "nothing is here; there are /v1/status, /v1/captures, /metrics"
NO_PAIRS = "the parameters are not NAME=VALUE"
NO_PARAMETERS = "this address has these parameters, each once: none"
PARAMETERS = "this address has these parameters, each once: after, limit, state"


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("http://[", 400, "that is no address"),
        ("/v1/status?x=1", 400, NO_PARAMETERS),
        ("/metrics?limit=1", 400, NO_PARAMETERS),
        ("/v1/captures?limit", 400, NO_PAIRS),
        ("/v1/captures?" + "limit=1&" * 500 + "limit=1", 400, PARAMETERS),
        ("/v1/captures?after=%FF%FE", 400, NO_PAIRS),
        ("/v1/captures?x=1", 400, PARAMETERS),
        ("/v1/captures?limit=1&limit=2", 400, PARAMETERS),
        ("/v1/captures?limit=-1", 400, "limit: not a number from 1 to 100"),
        ("/../../etc/passwd", 404, NOTHING),
        ("/v1/status/", 404, NOTHING),
        ("/V1/STATUS", 404, NOTHING),
        ("/v1/%73tatus", 404, NOTHING),
        ("*", 404, NOTHING),
    ],
)
def test_wrong_address_is_answered_in_words(
    van: ServingDevice, target: str, status: int, words: str
) -> None:
    text = f"GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n"

    code, error = one(said(van, text.encode()))

    assert (code, (error or "").startswith(words)) == (status, True), error


def test_an_address_may_name_the_host_too(van: ServingDevice) -> None:
    """Source: RFC 9112 section 3.2.2, which has every server accept it."""
    assert van.ask("https://van-7.example/v1/status").status == 200


@pytest.mark.parametrize("route", ["/v1/status", "/v1/captures", "/metrics", "/nowhere"])
def test_head_is_what_get_is_without_a_body(van: ServingDevice, route: str) -> None:
    head, whole = (
        said(van, b"%s %s HTTP/1.1\r\nConnection: close\r\n\r\n" % (method, route.encode()))
        for method in (b"HEAD", b"GET")
    )

    assert head.endswith(b"\r\n\r\n")
    assert _undated(head) == _undated(whole.partition(b"\r\n\r\n")[0])


def _undated(head: bytes) -> list[bytes]:
    return [line for line in head.rstrip().splitlines() if not line.startswith(b"Date: ")]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 22\r\n",
        b"Content-Length: words\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0, 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 1000000\r\nExpect: 100-continue\r\n",
    ],
)
def test_a_body_is_never_taken_for_another_request(van: ServingDevice, head: bytes) -> None:
    """The body is not read: the connection ends behind the answer."""
    second = b"GET /nowhere HTTP/1.1\r\n\r\n"

    heard = said(van, b"GET /v1/status HTTP/1.1\r\n" + head + b"\r\n" + second)

    assert one(heard)[0] == 200
    assert b"Connection: close" in heard


def test_an_answer_arrives_also_where_a_long_body_is_still_being_sent(van: ServingDevice) -> None:
    """Bytes that nobody has read would have TCP take the answer back."""
    for _ in range(5):
        assert van.ask("/v1/status", method="POST", body=b"x" * 60_000).status == 405


def test_requests_that_are_sent_at_once_are_answered_in_their_order(van: ServingDevice) -> None:
    targets = [b"/v1/status", b"/nowhere", b"/v1/status", b"/v1/captures?limit=0"]
    text = b"".join(b"GET %s HTTP/1.1\r\n%s\r\n" % (one, HOST) for one in targets[:-1])
    text += b"GET %s HTTP/1.1\r\nConnection: close\r\n\r\n" % targets[-1]

    heard = said(van, text)

    assert re.findall(rb"HTTP/1\.1 (\d+) ", heard) == [b"200", b"404", b"200", b"400"]


def test_client_without_tls_learns_nothing(van: ServingDevice) -> None:
    with socket.create_connection(("127.0.0.1", van.port), 10) as line:
        line.sendall(b"GET /v1/status HTTP/1.1\r\n\r\n")
        heard = b""
        with suppress(ConnectionError):
            while piece := line.recv(1_000):
                heard += piece

    assert b"HTTP" not in heard


def test_serve_lives_after_all_of_that_and_logged_no_bug(van: ServingDevice) -> None:
    assert van.ask("/v1/status").status == 200
    assert "Traceback" not in van.log()
