"""The status document in a header: it comes out as it went in, and an invalid one says why."""

import json

import pytest

from agent.status import header
from tests.support.factory import encoded

DOCUMENT = {"v": 1, "device": "gerät", "needs": ["full"], "queue": {"waiting": 3, "why": None}}


def test_header_returns_its_input_without_forbidden_characters() -> None:
    made = header.encoded(DOCUMENT)

    assert header.decoded(made) == DOCUMENT
    assert made.isascii()
    assert set(made) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_1500_bytes_are_2000_characters() -> None:
    empty = len(json.dumps({"x": ""}, separators=(",", ":")))

    assert len(header.encoded({"x": "x" * (1_500 - empty)})) == header.LIMIT_CHARS


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("A" * (header.LIMIT_CHARS + 1), "longer than 2000 characters"),
        ("", "not base64url"),
        ("a+b/", "not base64url"),
        ("e30=", "not base64url"),
        ("é", "not base64url"),
        ("A", "not JSON; was it cut"),
        (header.encoded(DOCUMENT)[:-9], "not JSON; was it cut"),
        (encoded(b"\xff{}"), "not JSON; was it cut"),
        (encoded(b"[" * 1_400), "not JSON; was it cut"),
        (encoded(b"[]"), "not a JSON object"),
        (encoded(b"7"), "not a JSON object"),
    ],
)
def test_invalid_header_is_reported_without_quoting_it(sent: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        header.decoded(sent)

    assert not sent or sent not in str(told.value)
