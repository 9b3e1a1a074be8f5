"""Headers that are believed, and the message for each other one."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.command import state_access
from agent.config import load
from agent.models import rfc3339
from agent.queue.paths import Layout
from agent.status import document as status
from agent.status import header
from agent.status.metrics import samples
from agent.status.troubles import Trouble
from agent.status.values import plain
from doorstep_backend.reports.read import (
    FROM_THE_FUTURE,
    NEWER,
    NO_NEED,
    OF_ANOTHER,
    StatusReport,
    read,
)
from doorstep_backend.reports.shape import status_of
from tests.backend.reports.samples import DEVICE, document, waits
from tests.support.device import Device

NOW = datetime(2026, 12, 1, 11, 42, 7, tzinfo=UTC)


def said(**changes: Any) -> StatusReport | str:
    return read(header.encoded(document(NOW, **changes)), DEVICE, NOW)


def wrong(**changes: Any) -> str:
    found = said(**changes)
    assert isinstance(found, str), "this was believed"
    return found


def test_times_are_kept_to_the_hour() -> None:
    """A device reports its times to the minute; their exact course would show a person's pace."""
    found = said(needs=["refused", "damaged"], queue=waits(3, NOW), bench_mode=True)

    assert isinstance(found, StatusReport)
    assert found.received_at == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert ":42" not in json.dumps(found.document)
    assert found.needs == (Trouble.DAMAGED, Trouble.REFUSED)
    worst = list(Trouble).index(Trouble.DAMAGED)
    assert (found.worst, found.waiting, found.bench_mode) == (worst, 3, True)
    assert found.oldest_utc == "2026-12-01T11:00:00.000Z"


def test_device_without_needs_comes_after_every_trouble() -> None:
    found = said()

    assert isinstance(found, StatusReport)
    assert found.worst == NO_NEED > len(Trouble)


def test_every_member_of_the_agents_status_is_known_to_the_backend(tmp_path: Path) -> None:
    """Otherwise a device would become unreadable, or lose members, with its next update."""
    config = load(Device(tmp_path, device={"id": DEVICE}).config)
    with state_access.open_queue(config) as outbox:
        made = status.document(config, status.queue_part(outbox), now=NOW)

    found = read(header.encoded(made), DEVICE, NOW)

    assert isinstance(found, StatusReport)
    assert found.document == {**plain(made), "utc": "2026-12-01T11:00:00.000Z"}
    assert not Layout.of(config.state).capture_socket.exists()


def test_a_device_with_everything_is_known_whole() -> None:
    made = document(NOW, needs=[Trouble.FULL])
    found = said(needs=[Trouble.FULL])

    assert isinstance(found, StatusReport)
    assert found.document == {**made, "utc": "2026-12-01T11:00:00.000Z"}
    assert list(samples(status_of(found.document)))


def test_unknown_member_of_a_status_is_not_kept() -> None:
    """The backend must not have a place that somebody added to the status."""
    found = said(lat_deg=52.1, capture={"ready": True, "stop": "s-17"})

    assert isinstance(found, StatusReport)
    assert "lat_deg" not in found.document
    assert found.document["capture"] == {"ready": True}


@pytest.mark.parametrize("part", ["capture", "sync"])
@pytest.mark.parametrize("what", [None, {"error": "busy"}])
def test_a_part_that_does_not_answer_is_known(part: str, what: object) -> None:
    assert isinstance(said(**{part: what}), StatusReport)


def test_a_queue_that_cannot_be_read_says_why_and_counts_none() -> None:
    found = said(queue={"error": "locked", "why": None}, disk={"free_mb": None, "reserve_mb": 5})

    assert isinstance(found, StatusReport)
    assert found.waiting == 0
    assert list(samples(status_of(found.document)))


@pytest.mark.parametrize(
    "changes",
    [
        {"needs": ["<gremlins>"]},
        {"needs": ["g" * 33]},
        {"needs": [7]},
        {"needs": None},
        {"needs": ["disk"] * 51},
        {"agent": 7},
        {"agent": "x" * 257},
        {"utc": "2026-13-01T00:00:00Z"},
        {"utc": None},
        {"bench_mode": 1},
        {"torn": True},
        {"torn": -1},
        {"queue": None},
        {"queue": {"waiting": 1}},
        {"queue": waits(2**60)},
        {"queue": waits(1, why="gremlins!")},
        {"queue": waits(1, alarms=[{"id": "x"}])},
        {"queue": waits(1, oldest_utc="yesterday")},
        {"identity": {}},
        {"disk": {"error": "gone"}},
        {"sync": {"waits_s": 1e300}},
        {"sync": {"waits_s": 10**400}},
        {"sync": {"last_contact": 5}},
        {"capture": []},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_member_that_is_not_as_expected_is_named(changes: dict[str, Any]) -> None:
    why = wrong(**changes)

    assert why.startswith(f"its member {next(iter(changes))}")
    assert why.endswith("is the device newer?")
    assert "gremlins" not in why


def test_known_members_of_a_newer_devices_status_are_read() -> None:
    """A device is updated before its backend, or after it: neither may hide what waits on it."""
    newer = waits(3, NOW, why="gremlins")
    found = said(needs=["gremlins", "refused", "next"], queue=newer, sync={"hindrance": "gremlins"})

    assert isinstance(found, StatusReport)
    assert (found.needs, found.unknown_needs) == ((Trouble.REFUSED,), ("gremlins", "next"))
    assert (found.waiting, found.document["queue"]["why"]) == (3, "gremlins")
    assert list(samples(status_of(found.document)))


def test_a_member_that_is_missing_is_named() -> None:
    made = document(NOW)
    del made["torn"]
    error = {"v": 1, "device": DEVICE, "error": "none"}

    assert "its member torn " in str(read(header.encoded(made), DEVICE, NOW))
    assert "its member agent " in str(read(header.encoded(error), DEVICE, NOW))


def test_another_devices_and_a_newer_ones_is_said_so() -> None:
    assert wrong(device="van-0043") == OF_ANOTHER
    assert wrong(v=2) == NEWER


def test_a_clock_may_be_a_day_ahead_and_any_time_behind() -> None:
    """A report from the future would be wrong about certificates for more than a day."""
    ahead = document(NOW + timedelta(days=1))
    further = document(NOW + timedelta(days=1, hours=1))
    behind = document(datetime(1970, 1, 1, tzinfo=UTC))

    assert isinstance(read(header.encoded(ahead), DEVICE, NOW), StatusReport)
    assert read(header.encoded(further), DEVICE, NOW) == FROM_THE_FUTURE
    assert isinstance(read(header.encoded(behind), DEVICE, NOW), StatusReport)


def of_bytes(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (header.encoded(document(NOW))[:-9], "was it cut"),
        (header.encoded(document(NOW))[:-8], "was it cut"),
        ("", "base64url"),
        ("e30=", "base64url"),
        ("ü" * 10, "base64url"),
        ("A" * 2_001, "longer than 2000"),
        (of_bytes(b"[]"), "not a JSON object"),
        (of_bytes(b"[" * 1_400), "not JSON"),
        (of_bytes(b"\xff\xfe"), "not JSON"),
        (of_bytes(b'{"sync": {"waits_s": NaN}}'), "not JSON"),
        (of_bytes(b'{"device": "van-0042", "v": ' + b"9" * 1_400 + b"}"), "version"),
    ],
    ids=[
        "cut",
        "cut by four",
        "empty",
        "padded",
        "wide",
        "long",
        "list",
        "deep",
        "bytes",
        "no number",
        "digits",
    ],
)
def test_unreadable_status_is_described(given: str, why: str) -> None:
    found = read(given, DEVICE, NOW)

    assert isinstance(found, str)
    assert why in found


def test_text_that_no_database_takes_is_made_printable() -> None:
    """Half of a surrogate pair, which JSON can say and UTF-8 cannot."""
    found = said(agent="1\ud800\x1b[2J\n2")

    assert isinstance(found, StatusReport)
    assert found.agent == "1  [2J 2"
    assert rfc3339(found.received_at).encode()
