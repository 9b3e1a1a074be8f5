"""Manifests: only the backend's own, for this device, today, and nothing that does not fit."""

import json
import math
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import NotGenuine
from agent.record import signing
from agent.rule import manifest
from agent.rule.manifest import Manifest, PhotoRule, has_ended, is_valid, read, supersedes
from hardware.clock import ClockSource, Moment
from tests.support.factory import encoded, signed_by_hand
from tests.support.roads import (
    BEGINS,
    ENDS,
    KEY,
    KEYS,
    STOP,
    manifest_of,
    payload_of,
    signed,
    stop_at,
)

OTHER: Final = stop_at((52.53, 13.41), 2, PhotoRule.NO_PHOTO)

GONE: Final = object()

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def changed(where: str, name: str, value: object) -> dict[str, Any]:
    """A right payload with one member of the document or its first stop changed or gone."""
    payload = payload_of(STOP, OTHER)
    members = payload if where == "document" else payload["stops"][0]
    members[name] = value
    if value is GONE:
        del members[name]
    return payload


def refusal(token: str, device_id: str = "dev-1") -> str:
    with pytest.raises(NotGenuine) as caught:
        read(token, KEYS, device_id)
    return str(caught.value)


def test_a_manifest_is_read_as_it_was_signed() -> None:
    payload = payload_of(STOP, OTHER)

    assert read(signed(payload), KEYS, "dev-1") == Manifest(
        version=7,
        device_id="dev-1",
        begins=BEGINS,
        ends=ENDS,
        stops=(STOP, OTHER),
        practice_codes=frozenset({"PRACTICE-1"}),
    )


def test_unknown_fields_are_passed_over() -> None:
    payload = changed("stop", "floor", 4) | {"weather": ["rain"]}

    assert read(signed(payload), KEYS, "dev-1").stops == (STOP, OTHER)


def test_only_a_trusted_key_makes_a_manifest() -> None:
    token = signed(payload_of(STOP), key=signing.new_key())

    assert "key that is not trusted" in refusal(token)


def test_an_altered_manifest_is_refused() -> None:
    head, _, tail = signed(payload_of(OTHER)).split(".")
    allowed = encoded(json.dumps(payload_of(replace(OTHER, photo=PhotoRule.ALLOWED))).encode())

    assert "not a valid signature" in refusal(f"{head}.{allowed}.{tail}")


@pytest.mark.parametrize("device_id", ["dev-2", "DEV-1", "dev-1 ", ""])
def test_a_manifest_of_another_device_is_refused(device_id: str) -> None:
    assert "another device" in refusal(signed(payload_of(STOP)), device_id)


@pytest.mark.parametrize("typ", [None, "JWT", "doorstep-receipt", ["doorstep-manifest"], 1])
def test_other_signed_word_of_the_backend_is_no_manifest(typ: object) -> None:
    """Receipts are signed by the same keys."""
    assert "not a doorstep-manifest" in refusal(signed(payload_of(STOP), typ=typ))


def test_a_header_that_says_two_types_is_refused() -> None:
    kid = signing.thumbprint(KEY.public_key())
    header = f'{{"alg":"ES256","kid":"{kid}","typ":"JWT","typ":"doorstep-manifest"}}'
    token = signed_by_hand(header.encode(), json.dumps(payload_of(STOP)).encode(), KEY)

    assert "its header is not right" in refusal(token)


def test_another_format_is_refused_with_a_word_about_the_version() -> None:
    for version in (2, True, 1.0, "1", GONE):
        assert "another format" in refusal(signed(changed("document", "v", version)))


WRONG_STOPS: Final[list[tuple[str, object]]] = [
    *[("id", name) for name in ("", "../etc", "a/b", "a\0b", "a b", "é", "s" * 65, "-x", 7, GONE)],
    *[("codes", codes) for codes in ("C1", None, [7], [""], ["a\0"], ["\n"], [" x"], ["é"], GONE)],
    *[("codes", codes) for codes in (["x" * 129], ["C"] * 201, ["x" * 1_000_000], [["C1"]])],
    *[("lat_deg", lat) for lat in (90.1, -91, True, "52", None, [], 10**400, GONE)],
    *[("lon_deg", lon) for lon in (180.1, -181, False, "13", None, {}, -(10**400), GONE)],
    *[("radius_m", radius) for radius in (0, 0.9, 1000.1, -5, True, "20", None, GONE)],
    *[("done", done) for done in (0, 1, "false", None, GONE)],
    *[("photo", rule) for rule in ("", "ALLOWED", "yes", None, True, ["allowed"], GONE)],
]


@pytest.mark.parametrize(("name", "value"), WRONG_STOPS)
def test_malformed_stop_refuses_the_whole(name: str, value: object) -> None:
    """Left out, it could be the one that takes no photo."""
    message = refusal(signed(changed("stop", name, value)))

    assert message.startswith(f"signed, but the manifest is malformed: stops[0].{name}")


WRONG_DOCUMENTS: Final[list[tuple[str, object]]] = [
    *[("version", version) for version in (0, -1, 1.0, True, "7", 2**53, None, GONE)],
    *[("begins", begins) for begins in ("", "2026-12-01", "2026-06-31T06:00:00Z", 7, None, GONE)],
    ("begins", "2026-12-01T06:00:00+01:00"),
    ("ends", "2026-12-01T06:00:00Z"),
    ("ends", "2026-11-30T06:00:00Z"),
    ("ends", "2026-12-02T06:00:00.001Z"),
    ("ends", "9999-12-31T23:59:59Z"),
    *[("stops", stops) for stops in (None, {}, "s", [7], [None], [[]], GONE)],
    *[("practice_codes", codes) for codes in (None, "P", [7], ["a\tb"], ["P"] * 201, GONE)],
]


@pytest.mark.parametrize(("name", "value"), WRONG_DOCUMENTS)
def test_a_malformed_document_is_refused(name: str, value: object) -> None:
    message = refusal(signed(changed("document", name, value)))

    assert message.startswith(f"signed, but the manifest is malformed: {name}"), message


def test_a_stop_at_zero_zero_is_a_place_that_nobody_knows() -> None:
    """A `no_photo` stop would lie unguarded at its real door."""
    payload = payload_of(replace(STOP, lat_deg=0, lon_deg=0))

    assert "0, 0" in refusal(signed(payload))


def test_two_stops_of_one_id_are_refused() -> None:
    payload = payload_of(STOP, replace(OTHER, id=STOP.id))

    assert "same id" in refusal(signed(payload))


def test_the_largest_manifest_is_read_in_a_moment_and_a_larger_one_is_refused() -> None:
    stops = [stop_at((52.5, 13.4), number) for number in range(1, 5_002)]
    began_s = time.perf_counter()
    largest = read(signed(payload_of(*stops[:5_000])), KEYS, "dev-1")

    assert len(largest.stops) == 5_000
    assert time.perf_counter() - began_s < 5
    assert "at most 5,000" in refusal(signed(payload_of(*stops)))


def test_megabytes_are_not_even_looked_at() -> None:
    assert "too long" in refusal("A" * (manifest.TOKEN_LIMIT_CHARS + 1))


def test_a_message_quotes_no_id_no_code_and_no_place() -> None:
    """The message goes into the log."""
    for name, value in (("id", "secret/1"), ("codes", ["secret\0"]), ("lat_deg", 91.1234)):
        message = refusal(signed(changed("stop", name, value)))

        assert "secret" not in message
        assert "91.1234" not in message


@given(json_values)
def test_any_signed_document_is_read_or_refused(payload: object) -> None:
    refusal(signed(payload))


@given(
    st.sampled_from(["document", "stop"]),
    st.sampled_from([*payload_of(), *payload_of(STOP)["stops"][0]]),
    json_values,
)
def test_any_one_changed_member_is_read_or_refused(where: str, name: str, value: object) -> None:
    """Never anything but a manifest in bounds, or words."""
    try:
        found = read(signed(changed(where, name, value)), KEYS, "dev-1")
    except NotGenuine:
        return
    for stop in found.stops:
        assert abs(stop.lat_deg) <= 90
        assert abs(stop.lon_deg) <= 180
        assert 1 <= stop.radius_m <= 1000
        assert math.isfinite(stop.lat_deg + stop.lon_deg + stop.radius_m)


def test_only_a_newer_version_supersedes() -> None:
    route = manifest_of(STOP)

    assert [supersedes(route, version) for version in (None, 6, 7, 8)] == [True, True, False, False]


def at(utc: datetime, source: ClockSource) -> Moment:
    return Moment(utc, 0, "boot-1", source, None)


EARLY: Final = datetime(2020, 1, 1, tzinfo=UTC)
NOON: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("source", sorted(set(ClockSource) - {ClockSource.UNSYNCED}))
def test_a_manifest_is_valid_from_its_beginning_to_its_end(source: ClockSource) -> None:
    route, tick = manifest_of(STOP), timedelta(microseconds=1)
    moments = {BEGINS - tick: False, BEGINS: True, NOON: True, ENDS - tick: True, ENDS: False}

    for utc, expected in moments.items():
        assert is_valid(route, at(utc, source), EARLY) is expected
        assert has_ended(route, at(utc, source), EARLY) is (utc >= ENDS)


def test_time_floor_decides_while_the_clock_is_unsynced() -> None:
    """The clock's own time is a guess then."""
    route = manifest_of(STOP)

    for guess in (EARLY, NOON, ENDS + timedelta(days=900)):
        guessed = at(guess, ClockSource.UNSYNCED)
        assert is_valid(route, guessed, NOON)
        assert not is_valid(route, guessed, EARLY)
        assert not is_valid(route, guessed, ENDS)
        assert has_ended(route, guessed, ENDS)
        assert not has_ended(route, guessed, NOON)


def test_a_clock_behind_the_floor_does_not_bring_yesterday_back() -> None:
    """An RTC whose battery died."""
    behind = at(NOON, ClockSource.RTC)

    assert not is_valid(manifest_of(STOP), behind, ENDS)
