"""Hostile manifests before a running capture: no crash, no photo, a line in the log."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.record import signing
from agent.rule.manifest import TYPE
from tests.support import device as devices
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

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(["", "\0", "../../x", "2026-12-01T25:00:00Z", "no_photo\0", "é" * 200]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


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
    "dots": "." * 100_000,
    "megabytes": "A" * 5_000_000,
    "a code with a NUL": signed(with_codes("C1\0")),
    "a code of megabytes": signed(with_codes("C" * 3_000_000)),
    "a thousand codes": signed(with_codes(*(f"C{number}" for number in range(1000)))),
    "a code that is a number": signed(with_codes(17)),
    "an id with a path": signed(with_stop(id="../../../etc/passwd")),
    "an id of megabytes": signed(with_stop(id="s" * 3_000_000)),
    "north of the pole": signed(with_stop(lat_deg=90.001)),
    "beyond the date line": signed(with_stop(lon_deg=-180.1)),
    "nowhere": signed(with_stop(lat_deg=0, lon_deg=0)),
    "a number that is none": by_hand(json.dumps(with_stop(lat_deg=float("nan"))).encode()),
    "an infinite radius": by_hand(json.dumps(with_stop(radius_m=float("inf"))).encode()),
    "a negative radius": signed(with_stop(radius_m=-5)),
    "a rule in capitals": signed(with_stop(photo="ALLOWED")),
    "two of one id": signed(payload_of(ALLOWED, ALLOWED)),
    "a member twice": by_hand(b'{"v":1,"v":1}'),
    "deep": by_hand(b"[" * 200_000),
    "deep in its header": f"{encoded(b'[' * 200_000)}.e30.{'A' * 86}",
    "a number of many digits": by_hand(b'{"v":' + b"1" * 100_000 + b"}"),
    "no JSON": by_hand(b"\xff\xfe manifest"),
    "years": signed(spoilt() | {"ends": "9999-12-31T23:59:59Z"}),
    "backwards": signed(spoilt() | {"ends": "2026-12-01T05:00:00Z"}),
    "a version of nought": signed(spoilt() | {"version": 0}),
    "another format": signed(spoilt() | {"v": 2}),
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


@pytest.mark.slow
def test_fuzzed_manifests_neither_end_the_loop_nor_start_the_camera(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rightly signed, and one member is anything; or some characters of the token are.

    What they spoil has ended, so that not even what is left right would be taken in.
    """
    with fleet_device(tmp_path) as device:

        @settings(max_examples=200, database=None)
        @given(tokens())
        def check(token: str) -> None:
            verdict = offer_text(device, token)
            device.tick()

            assert stored(device.layout) == Stored(None, None)
            assert verdict.why
            assert reason(device.press()) == "manifest_missing"

        check()
        assert device.parts.camera.starts == 0
    assert caplog.text.count("event=manifest_refused") > 10


@st.composite
def tokens(draw: st.DrawFn) -> str:
    payload = spoilt() | {"ends": "2026-12-01T11:00:00Z"}
    members = draw(st.sampled_from([payload, payload["stops"][0], payload["stops"][1]]))
    members[draw(st.sampled_from(sorted(members)))] = draw(json_values)
    token = signed(payload)
    if draw(st.booleans()):
        return token
    at = draw(st.integers(0, len(token) - 1))
    return (
        token[:at] + draw(st.text(st.characters(max_codepoint=127), max_size=4)) + token[at + 1 :]
    )


@pytest.fixture
def running(tmp_path: Path) -> Iterator[devices.Device]:
    key_file = tmp_path / "backend.pem"
    key_file.write_bytes(signing.public_pem(KEY.public_key()))
    with devices.device(
        tmp_path,
        "",
        device={"id": "dev-1"},
        policy={"manifest": "required"},
        backend={"receipt_keys": [str(key_file)]},
    ) as device:
        device.start("capture")
        yield device


@pytest.mark.slow
def test_a_running_capture_refuses_what_sync_puts_before_it_and_goes_on(
    running: devices.Device,
) -> None:
    worst = ["megabytes", "deep", "a code of megabytes", "a number of many digits", "NULs"]
    answers = [running.ask("capture", {"offer": "manifest", "text": WORST[name]}) for name in worst]
    told = running.ask("capture", {"status": True})

    assert [answer and answer["taken"] for answer in answers] == [False] * len(worst)
    assert reason(running.press()) == "manifest_missing"
    assert told is not None
    assert told["manifest"] == "none"
    assert told["manifest_refused"]
    assert running.log("capture").count("event=manifest_refused") >= 4
    assert "Traceback" not in running.log("capture")
