"""Only the backend's own word ends a device: a portal's does not."""

import json

import pytest

from agent.errors import NotNow
from agent.identity.retirement import judged
from agent.wire.tus import Answer

CHAINS = [{"chain": "c-1", "last_seq": 3, "received": 3, "missing": 0, "gaps": []}]


def answer(status: int, body: object) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(status, {}, text.encode(errors="surrogateescape"))


def test_retired_device_reads_what_the_backend_has() -> None:
    body = {"device_id": "van-7", "retired_at": "2026-11-26T22:00:00Z", "chains": CHAINS}

    assert judged(answer(200, body), "van-7").received == {"c-1": 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("certificate revoked: this device was retired on 2026-11-26", "by an earlier try"),
        ("certificate revoked: ask to be let in, then enrol again", "by the office"),
    ],
)
def test_revoked_before_is_revoked(text: str, words: str) -> None:
    assert words in judged(answer(403, text), "van-7").words


@pytest.mark.parametrize(
    "body",
    [
        "<html>Welcome to the hotel</html>",
        "<html>Willkommen im H\udcf4tel</html>",
        "[]",
        "[" * 100_000,
        {"device_id": "van-8", "chains": CHAINS},
        {"device_id": "van-7"},
        {"device_id": "van-7", "chains": 3},
        {"device_id": "van-7", "chains": [{}]},
    ],
    ids=range(8),
)
def test_a_200_of_somebody_else_ends_nothing(body: object) -> None:
    with pytest.raises(NotNow, match="not revoked"):
        judged(answer(200, body), "van-7")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "certificate expired on 2026-01-01"),
        (403, "no certificate"),
        (403, "this page was retired"),
        (404, ""),
        (302, ""),
        (503, "certificate revoked"),
    ],
)
def test_any_other_answer_ends_nothing(status: int, text: str) -> None:
    with pytest.raises(NotNow, match=f"answered {status}"):
        judged(answer(status, text), "van-7")
