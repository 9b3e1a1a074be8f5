"""The stored manifest: nothing that was fetched is lost, and nothing is left when it has ended."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.queue.database import Database
from agent.queue.manifests import ManifestStore, Stored
from agent.queue.paths import Layout
from agent.record import signing
from hardware.button import ButtonEvent, ButtonName, Change
from hardware.clock import ClockSource
from tests.support.benchtop import Bench, Parts, bench
from tests.support.device import REPOSITORY
from tests.support.factory import queue
from tests.support.fleet import (
    ALLOWED,
    NOON,
    SIGNED,
    etag,
    files_of,
    fleet_device,
    offer,
    offer_text,
    reason,
    round_of,
    stored,
)
from tests.support.roads import KEY, payload_of, stop_at

EVENING = datetime(2026, 12, 1, 18, 0, 5, tzinfo=UTC)


@pytest.fixture
def manifest_store(tmp_path: Path) -> Iterator[ManifestStore]:
    _, database, _ = queue(tmp_path)
    with closing(database):
        yield ManifestStore(database)


def pieces(token: str) -> list[bytes]:
    """What of a token would betray a stop: every 24 characters of it."""
    return [token[start : start + 24].encode() for start in range(0, len(token) - 24, 24)]


def left_of(token: str, layout: Layout) -> int:
    """How many pieces of it are found in the database's files."""
    files = files_of(layout)
    return sum(piece in files for piece in pieces(token))


def long_route(stops: int = 150) -> dict[str, Any]:
    """More than one page of the database, so that it goes through pages of overflow."""
    places = ((52.0 + number / 1000, 13.0) for number in range(stops))
    return payload_of(*(stop_at(place, number) for number, place in enumerate(places)))


def test_nothing_is_stored_at_first(manifest_store: ManifestStore) -> None:
    assert manifest_store.stored() == Stored(token=None, version=None, offered=None, refused=None)
    assert manifest_store.etag() is None


def test_what_is_offered_waits_beside_the_one_in_hand(manifest_store: ManifestStore) -> None:
    manifest_store.take("first", 1)
    manifest_store.offer("second", '"2"')

    assert manifest_store.stored() == Stored("first", 1, "second", None)
    assert manifest_store.etag() == '"2"'


def test_taking_one_in_ends_the_refusal_before_it(manifest_store: ManifestStore) -> None:
    manifest_store.offer("bad", None)
    manifest_store.refuse("bad", "no manifest", again=True)
    manifest_store.offer("good", None)
    manifest_store.take("good", 4)

    assert manifest_store.stored() == Stored("good", 4, None, None)


@pytest.mark.parametrize("again", [True, False])
def test_a_refused_one_is_fetched_again_only_if_another_answer_may_come(
    manifest_store: ManifestStore, *, again: bool
) -> None:
    manifest_store.offer("bad", '"bad"')
    manifest_store.refuse("bad", "why", again=again)

    assert manifest_store.stored().refused == "why"
    assert manifest_store.etag() == (None if again else '"bad"')


@pytest.mark.parametrize("verdict", ["take", "refuse"])
def test_one_that_is_offered_while_another_is_looked_at_is_not_lost(
    manifest_store: ManifestStore, verdict: str
) -> None:
    """Sync would be answered 304 for it from then on: nobody would ever fetch it again."""
    manifest_store.offer("first", '"1"')
    manifest_store.offer("second", '"2"')
    if verdict == "take":
        manifest_store.take("first", 1)
    else:
        manifest_store.refuse("first", "why", again=False)

    assert manifest_store.stored().offered == "second"


OFFERS = """
import sys
from contextlib import AbstractContextManager, closing
from pathlib import Path
from agent.queue.database import Database
from agent.queue.manifests import ManifestStore
from agent.queue.paths import Layout

with closing(Database(Layout(Path(sys.argv[1]), Path(sys.argv[2])))) as database:
    manifest_store = ManifestStore(database)
    for number in range(int(sys.argv[3])):
        manifest_store.offer(f"token {number}", None)
"""


@pytest.mark.slow
def test_of_two_processes_the_one_that_takes_in_ends_with_the_last_that_was_offered(
    tmp_path: Path, manifest_store: ManifestStore
) -> None:
    manifest_store.stored()  # makes the schema
    folders = [str(tmp_path / name) for name in ("state", "run")]
    words = [sys.executable, "-c", OFFERS, *folders, "200"]
    taken: list[str] = []
    with subprocess.Popen(words, cwd=REPOSITORY) as offering:
        while offering.poll() is None or manifest_store.stored().offered:
            if (token := manifest_store.stored().offered) is not None:
                manifest_store.take(token, len(taken) + 1)
                taken.append(token)

    assert offering.returncode == 0
    assert manifest_store.stored().token == taken[-1] == "token 199"


# What is left of it


@pytest.mark.parametrize("by_another", [False, True], ids=["own log", "checkpoint by another"])
def test_when_it_ends_nothing_of_it_is_left_on_the_card(
    tmp_path: Path, *, by_another: bool
) -> None:
    """Also when another process has written the log back into the database meanwhile."""
    with fleet_device(tmp_path) as device:
        tokens = [offer(device, long_route())]
        device.tick()
        tokens.append(offer(device, long_route(120) | {"version": 8}))
        device.tick()
        if by_another:
            write_log_back(device.layout)
        had = [left_of(token, device.layout) for token in tokens]
        device.hear_time(EVENING)
        device.tick()
        device.tick()

        assert stored(device.layout) == Stored(None, 8, None, None)
        assert had[1] == len(pieces(tokens[1]))
        assert [left_of(token, device.layout) for token in tokens] == [0, 0]
        assert reason(device.press()) == "manifest_expired"


def write_log_back(layout: Layout) -> None:
    with closing(Database(layout)) as other, other.look() as sql:
        sql.execute("ROLLBACK")
        busy, pages, _ = sql.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        assert not busy
        assert pages > 0


def test_it_ends_also_while_the_device_was_off(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED) as device:
        token = stored(device.layout).token or ""
    with fleet_device(tmp_path, now=EVENING) as device:
        assert stored(device.layout).token is None
        assert left_of(token, device.layout) == 0


def test_one_that_no_key_of_today_has_signed_is_wiped_and_fetched_again(tmp_path: Path) -> None:
    """It would never end, for nobody could read when."""
    with round_of(tmp_path, ALLOWED) as device:
        token = stored(device.layout).token or ""
    (tmp_path / "backend.pem").write_bytes(signing.public_pem(signing.new_key().public_key()))
    with restarted(tmp_path) as device:
        device.tick()

        assert stored(device.layout) == Stored(None, 7, None, None)
        assert etag(device.layout) is None
        assert left_of(token, device.layout) == 0


def restarted(folder: Path) -> AbstractContextManager[Bench]:
    """The device of `fleet_device`, with the keys as they lie there, before its first turn."""
    backend = {"receipt_keys": [str(folder / "backend.pem")]}
    parts = Parts(witness=ClockSource.UNSYNCED)
    policy = {"manifest": "required"}
    return bench(folder, parts, policy=policy, backend=backend, device={"id": "dev-1"})


def test_keys_that_cannot_be_read_for_a_while_cost_no_manifest(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED):
        key_file = tmp_path / "backend.pem"
        content = key_file.read_bytes()
    key_file.write_bytes(b"")
    with restarted(tmp_path) as device:
        device.hear_time(NOON)
        device.tick()
        before = device.press()["record"]["manifest"]
        key_file.write_bytes(content)
        device.tick()

        assert before == "none"
        assert device.press()["record"]["manifest"] == 7


# What is taken in


def today_until(ends: datetime) -> dict[str, Any]:
    times = (ends - timedelta(hours=9), ends)
    begins_utc, ends_utc = (f"{at:%Y-%m-%dT%H:%M:%S}Z" for at in times)
    return payload_of(ALLOWED) | {"begins": begins_utc, "ends": ends_utc}


def test_a_clock_that_was_wrong_costs_the_route_only_as_long(tmp_path: Path) -> None:
    """By a battery clock that is two hours ahead it has ended, which wipes it.

    The same version is taken in again when it is fetched again; an older one never is.
    """
    now = datetime.now(UTC) - timedelta(hours=2)
    payload = today_until(now + timedelta(hours=1))
    with off_net(tmp_path) as device:
        offer(device, payload)
        device.tick()
        before = stored(device.layout).version
        device.parts.witness = ClockSource.RTC
        device.tick()
        wiped = stored(device.layout)
        offer(device, payload)
        device.tick()
        refused, tag = stored(device.layout).refused, etag(device.layout)
        device.hear_time(now)
        offer(device, payload | {"version": 6})
        device.tick()
        older = stored(device.layout).token
        offer(device, payload)
        device.tick()

        assert before == 7
        assert wiped == Stored(None, 7, None, None)
        assert (refused, tag) == ("it has ended already", None)
        assert older is None
        assert device.press()["record"]["manifest"] == 7


def off_net(folder: Path) -> AbstractContextManager[Bench]:
    """A fleet device that has no time yet."""
    folder.mkdir(exist_ok=True)
    (folder / "backend.pem").write_bytes(signing.public_pem(KEY.public_key()))
    return restarted(folder)


def test_the_same_one_again_changes_nothing_and_is_not_told_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that takes the ETag away makes sync fetch it every minute."""
    caplog.set_level("INFO")
    with round_of(tmp_path, ALLOWED) as device:
        for _ in range(3):
            offer(device, payload_of(ALLOWED), etag=None)
            offer_text(device.layout, stored(device.layout).token or "", etag=None)
            device.tick()

        assert stored(device.layout).offered is None
        assert stored(device.layout).refused is None
    assert caplog.text.count("event=manifest_taken") == 1


def test_a_press_that_comes_while_the_process_starts_has_the_route_in_hand(tmp_path: Path) -> None:
    with round_of(tmp_path, SIGNED):
        pass
    parts = Parts()
    with fleet_device(tmp_path, parts):
        pass
    with restarted(tmp_path) as device:
        device.parts.fix(utc=None)
        edge_ns = device.touch()
        device.loop.on_event(ButtonEvent(ButtonName.PHOTO, Change.PRESSED, edge_ns))
        device.loop.stop()
        device.run()

        assert device.replies[-1]["record"]["manifest"] == 7
