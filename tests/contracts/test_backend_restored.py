"""A backend whose database is lost, and comes back as its backup has it: an hour too old."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from tests.backend.engines.opening import URL
from tests.backend.process import Backend
from tests.support.enrolment import Van, enrolled
from tests.support.factory import RecordMaker
from tests.support.postgres import Postgres, running_postgres
from tests.support.s3 import Engine
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Scene:
    """Attributes: van: a device that enrolled before the backup."""

    server: Postgres
    engine: Engine
    bucket: str
    backend: Backend
    van: Van

    def send(self) -> str:
        """A record; its device has the receipt for it, and deletes it."""
        made = self.van.maker.make()
        answer = self.van.wire().post(made.label.capture_id, made.content, made.content)
        assert "Doorstep-Receipt" in answer.headers
        return made.label.capture_id

    def receipts(self, ids: list[str]) -> list[bool]:
        told = self.van.wire().receipts(*ids).json()
        return [told[one] is not None for one in ids]


@pytest.fixture
def scene(engine: Engine, tmp_path: Path) -> Iterator[Scene]:
    bucket = f"b-{uuid4()}"
    engine.bucket(bucket)
    with running_postgres() as server, pytest.MonkeyPatch.context() as patch:
        server.stop()
        server.start_archiving()
        patch.setenv(URL, server.url)
        address = engine.address(bucket)
        backend = Backend(tmp_path / "backend", identity=True, switches=True, objects=address)
        backend.start()
        try:
            maker = RecordMaker(device_id=f"van-{uuid4()}")
            own = enrolled(backend, tmp_path, maker.device_id, maker.key)
            van = Van(backend, tmp_path, own, maker)
            with van.opened:
                yield Scene(server, engine, bucket, backend, van)
        finally:
            backend.kill()


def test_records_of_after_the_backup_get_their_rows_back_from_their_objects(scene: Scene) -> None:
    scene.server.back_up()
    before = [scene.send() for _ in range(2)]
    scene.server.archive_now()
    after = [scene.send() for _ in range(3)]
    assert scene.receipts([*before, *after]) == [True] * 5
    sent = scene.engine.keys(scene.bucket)

    scene.server.kill()
    scene.server.restore()

    until(lambda: scene.receipts([*before, *after]) == [True, True, False, False, False], 30.0)
    assert sorted(scene.backend.command("objects", "stray").splitlines()[:3]) == sorted(after)
    said = scene.backend.command("objects", "stray", "--take-in").splitlines()
    assert said[-1] == "taken in: 3; left as they are: 0"
    assert scene.receipts([*before, *after]) == [True] * 5
    assert scene.engine.keys(scene.bucket) == sent
    assert re.search("without an upload: 0;", scene.backend.command("objects", "stray"))
