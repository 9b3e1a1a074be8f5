"""Hostile manifests before a running capture: no crash, no photo, a line in the log."""

import copy
import json
from pathlib import Path
from typing import Any, Final

import pytest

from agent.record import signing
from agent.rule.manifest import TYPE
from tests.support.factory import encoded, signed_by_hand
from tests.support.fleet import (
    ALLOWED,
    FORBIDDEN,
    Stored,
    fleet_device,
    offer_text,
    reason,
    stored,
)
from tests.support.roads import KEY, payload_of, signed

HEADER: Final = {"alg": "ES256", "kid": signing.thumbprint(KEY.public_key()), "typ": TYPE}


def spoilt() -> dict[str, Any]:
    """A right payload, to be spoilt."""
    return copy.deepcopy(payload_of(ALLOWED, FORBIDDEN))


def with_codes(*codes: Any) -> dict[str, Any]:
    payload = spoilt()
    payload["stops"][0]["codes"] = list(codes)
    return payload


def with_stop(**members: Any) -> dict[str, Any]:
    payload = spoilt()
    payload["stops"][0] |= members
    return payload


def by_hand(text: bytes) -> str:
    """Rightly signed, whatever it says."""
    return signed_by_hand(HEADER, text, KEY)


WORST: Final[dict[str, str]] = {
    "nothing": "",
    "NULs": "\0" * 1000,
    "megabytes": "A" * 5_000_000,
    "a code with a NUL": signed(with_codes("C1\0")),
    "a code of megabytes": signed(with_codes("C" * 3_000_000)),
    "an id with a path": signed(with_stop(id="../../../etc/passwd")),
    "north of the pole": signed(with_stop(lat_deg=90.001)),
    "a number that is none": by_hand(json.dumps(with_stop(lat_deg=float("nan"))).encode()),
    "deep": by_hand(b"[" * 200_000),
    "deep in its header": f"{encoded(b'[' * 200_000)}.e30.{'A' * 86}",
    "a number of many digits": by_hand(b'{"v":' + b"1" * 100_000 + b"}"),
    "no JSON": by_hand(b"\xff\xfe manifest"),
    "no signature": f"{encoded(b'{}')}.{encoded(json.dumps(spoilt()).encode())}.",
}


@pytest.mark.parametrize("token", WORST.values(), ids=WORST.keys())
def test_the_worst_are_refused_whole_with_a_short_word_and_nothing_of_them(
    tmp_path: Path, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What is told of it quotes no code, no id and no place, and fits into a line."""
    with fleet_device(tmp_path) as device:
        verdict = offer_text(device, token)
        device.tick()
        reply = device.press()

        assert stored(device.layout) == Stored(None, None)
        assert reason(reply) == "manifest_missing"
        assert device.parts.camera.starts == 0
        assert 0 < len(verdict.why or "") < 250
        assert device.loop.status()["manifest_refused"] == verdict.why
    assert caplog.text.count("event=manifest_refused") == 1
    for secret in ("C1", "passwd", "CCC", "52.52", "90.001"):
        assert secret not in caplog.text
