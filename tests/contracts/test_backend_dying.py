"""An instance is killed between any two steps of an intake: one row, one object, one receipt."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from doorstep_backend.engines.opening import URL, open_database
from tests.support.backend import Backend
from tests.support.buckets import Engine
from tests.support.engines import only_folder
from tests.support.factory import new_id
from tests.support.faulty.switches import Step
from tests.support.postgres import Postgres, running_postgres
from tests.support.wire import PHOTO, Wire, proven, record, speaking_to, stranger

HALF = 100_000


class Instances:
    """Two instances over the same rows and objects; the first one is to die."""

    def __init__(self, data: Path, objects: str | None, others: int) -> None:
        self.first = Backend(data, switches=True, objects=objects).start()
        backends = (Backend(data, switches=True, objects=objects) for _ in range(others))
        self.others = [one.start() for one in backends]

    def next(self) -> Backend:
        """Return the backend to ask after a kill: another instance, or this one, started again."""
        if self.others:
            return self.others[0]
        self.first.stop()
        self.first.start()
        return self.first

    def rows(self) -> dict[str, int]:
        with closing(open_database(self.first.data, "backend")) as database:
            tables = ("uploads", "verdicts", "pieces")
            counted = [database.execute(f"SELECT count(*) FROM {one}") for one in tables]
        return dict(zip(tables, [row.fetchone()[0] for row in counted], strict=True))

    def close(self) -> None:
        for one in (self.first, *self.others):
            one.kill()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Instances]:
    fleet = Instances(tmp_path / "backend", None, 0)
    yield fleet
    fleet.close()


def whole(wire: Wire, capture_id: str, content: bytes) -> Any:
    return wire.post(capture_id, content, content)


def in_two(wire: Wire, capture_id: str, content: bytes) -> Any:
    wire.post(capture_id, content)
    wire.patch(capture_id, 0, content[:HALF])
    return wire.patch(capture_id, HALF, content[HALF:])


def asked_again(wire: Wire, capture_id: str, content: bytes) -> str:
    """As a device does it: where it stands, the rest, and the receipt if the answer was lost."""
    offset = int(wire.head(capture_id).headers["Upload-Offset"])
    if offset < len(content):
        answer = wire.patch(capture_id, offset, content[offset:])
        return str(answer.headers["Doorstep-Receipt"])
    return str(wire.receipts(capture_id).json()[capture_id]["receipt"])


def dies_and_is_asked_again(fleet: Instances, step: Step, send: Any) -> tuple[str, bytes]:
    maker, capture_id = stranger(), new_id()
    content = record(maker, capture_id)
    fleet.first.set_switches(die_after=step)
    with (
        speaking_to(fleet.first.base_url, fleet.first.ca_file) as wire,
        pytest.raises(requests.ConnectionError),
    ):
        send(wire, capture_id, content)

    follower = fleet.next()
    with speaking_to(follower.base_url, follower.ca_file) as wire:
        receipt = asked_again(wire, capture_id, content)
        again = wire.receipts(capture_id).json()[capture_id]

    assert again == {"receipt": receipt}
    assert proven(follower.receipt_key_file, receipt)["bytes"] == len(content)
    assert fleet.rows() == {"uploads": 1, "verdicts": 1, "pieces": 0}
    return capture_id, content


@only_folder
@pytest.mark.parametrize("send", [whole, in_two])
@pytest.mark.parametrize("step", Step)
def test_killed_backend_continues_on_sqlite_and_files(
    files: Instances, step: Step, send: Any
) -> None:
    capture_id, content = dies_and_is_asked_again(files, step, send)

    received = files.first.data / "received"
    assert {one.name: one.read_bytes() for one in received.iterdir()} == {
        f"{capture_id}.rec": content
    }
    assert list((files.first.data / "refused").iterdir()) == []


@only_folder
@pytest.mark.parametrize("step", [Step.PUT, Step.PIECES, Step.COMMIT])
def test_a_refused_record_that_is_judged_again(files: Instances, step: Step) -> None:
    """The object of the refusal goes with it, and is not missed when that was undone."""
    maker, capture_id = stranger(), new_id()
    content = record(maker, capture_id)
    files.first.set_switches(refuse="damaged")
    with speaking_to(files.first.base_url, files.first.ca_file) as wire:
        assert wire.post(capture_id, content, content).status_code == 422
        files.first.set_switches(die_after=step)
        with suppress(requests.ConnectionError):
            wire.receipts(capture_id)

    follower = files.next()
    with speaking_to(follower.base_url, follower.ca_file) as wire:
        assert "receipt" in wire.receipts(capture_id).json()[capture_id]

    assert follower.received_file(capture_id).read_bytes() == content
    assert list((follower.data / "refused").iterdir()) == []


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def shared(
    server: Postgres, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Instances, str]]:
    """Two instances on PostgreSQL and S3, and the bucket."""
    bucket = f"b-{uuid4()}"
    monkeypatch.setenv(URL, server.new_database())
    engine.bucket(bucket)
    with ExitStack() as kept:
        fleet = Instances(tmp_path / "backend", engine.address(bucket), 1)
        kept.callback(fleet.close)
        yield fleet, bucket


@pytest.mark.slow
@pytest.mark.parametrize("send", [whole, in_two])
@pytest.mark.parametrize("step", Step)
def test_other_instance_continues_on_postgresql_and_s3(
    shared: tuple[Instances, str], engine: Engine, step: Step, send: Any
) -> None:
    fleet, bucket = shared
    capture_id, content = dies_and_is_asked_again(fleet, step, send)

    (key,) = engine.keys(bucket).items()
    assert key[0].startswith(f"{capture_id}/")
    assert key[1] == content
    assert list(fleet.first.data.glob("*.db*")) == []


@pytest.mark.slow
def test_two_that_race_through_two_instances_bring_one_record(
    shared: tuple[Instances, str], engine: Engine
) -> None:
    """Each as a device does it: it asks where the upload stands, and sends from there."""
    fleet, bucket = shared
    maker, capture_id = stranger(), new_id()
    content = record(maker, capture_id, PHOTO * 3)

    def sent(backend: Backend) -> set[int]:
        statuses = set()
        with speaking_to(backend.base_url, backend.ca_file) as wire:
            while (at := int(wire.head(capture_id).headers["Upload-Offset"])) < len(content):
                piece = content[at : at + 20_000]
                statuses.add(wire.patch(capture_id, at, piece).status_code)
            assert "receipt" in wire.receipts(capture_id).json()[capture_id]
        return statuses

    with speaking_to(fleet.first.base_url, fleet.first.ca_file) as wire:
        wire.post(capture_id, content)
    with ThreadPoolExecutor(2) as both:
        told = set().union(*both.map(sent, (fleet.first, fleet.others[0])))

    assert told == {204, 409}, "they were at it at once, and nothing else was told"
    assert list(engine.keys(bucket).values()) == [content]
    assert fleet.rows() == {"uploads": 1, "verdicts": 1, "pieces": 0}
