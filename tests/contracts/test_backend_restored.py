"""A backend whose PostgreSQL is lost: a standby goes on, or a backup that is too old."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from doorstep_backend.engines.opening import URL
from tests.support.backend import Backend
from tests.support.buckets import Engine
from tests.support.enrolment import Van, enrolled
from tests.support.factory import RecordMaker
from tests.support.postgres import Postgres, running_postgres
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Scene:
    """A backend over PostgreSQL and a bucket, and a device that is enrolled there."""

    engine: Engine
    bucket: str
    backend: Backend
    van: Van

    def send(self) -> Any:
        """A record; returns the answer."""
        made = self.van.maker.make()
        return self.van.wire().post(made.label.capture_id, made.content, made.content)

    def sent(self) -> str:
        """A record whose device has the receipt for it, and deletes it."""
        made = self.van.maker.make()
        answer = self.van.wire().post(made.label.capture_id, made.content, made.content)
        assert "Doorstep-Receipt" in answer.headers
        return made.label.capture_id

    def receipts(self, ids: list[str]) -> list[bool]:
        """Which of them the backend knows; none while it cannot tell."""
        answer = self.van.wire().receipts(*ids)
        told = answer.json() if answer.ok else {}
        return [told.get(one) is not None for one in ids]


@pytest.fixture
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@contextmanager
def scene(engine: Engine, folder: Path, url: str) -> Iterator[Scene]:
    bucket = f"b-{uuid4()}"
    engine.bucket(bucket)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as ends:
        patch.setenv(URL, url)
        backend = Backend(
            folder / "backend", switches=False, identity=True, objects=engine.address(bucket)
        )
        ends.callback(backend.start().kill)
        maker = RecordMaker(device_id=f"van-{uuid4()}")
        own = enrolled(backend, folder, maker.device_id, maker.key)
        van = Van(backend, folder, own, maker, ends)
        yield Scene(engine, bucket, backend, van)


def test_records_of_after_the_backup_get_their_rows_back_from_their_objects(
    engine: Engine, tmp_path: Path, server: Postgres
) -> None:
    server.stop()
    server.start_archiving()
    with scene(engine, tmp_path, server.url) as found:
        server.back_up()
        before = [found.sent() for _ in range(2)]
        server.archive_now()
        after = [found.sent() for _ in range(3)]
        assert found.receipts([*before, *after]) == [True] * 5
        objects = engine.keys(found.bucket)

        server.kill()
        server.restore()

        until(lambda: found.receipts([*before, *after]) == [True, True, False, False, False])
        told = found.backend.command("objects", "stray").splitlines()
        assert sorted(told[:-1]) == sorted(after)
        told = found.backend.command("objects", "stray", "--take-in").splitlines()
        assert told[-1] == "taken in: 3; left as they are: 0"
        assert found.receipts([*before, *after]) == [True] * 5
        assert engine.keys(found.bucket) == objects
        assert "without an upload: 0;" in found.backend.command("objects", "stray")


def test_nothing_is_lost_when_a_standby_takes_over(
    engine: Engine, tmp_path: Path, server: Postgres
) -> None:
    standby = Postgres(server.folder.parent / "standby").follow(server)
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
    url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
    try:
        with scene(engine, tmp_path, url) as found:
            kept = [found.sent() for _ in range(3)]

            server.kill()
            away = found.send()
            standby.promote()

            assert (away.status_code, away.headers["Retry-After"]) == (503, "10")
            until(lambda: found.receipts(kept) == [True] * 3)
            assert found.receipts([found.sent()]) == [True]
    finally:
        standby.stop()
