"""The backend as a process over PostgreSQL: a sample; the suites that it stands for run by hand."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorstep_backend.engines.opening import URL
from tests.support.backend import REPOSITORY, Backend, running_backend
from tests.support.enrolment import Van, enrolled
from tests.support.factory import RecordMaker, new_id
from tests.support.postgres import Postgres, running_postgres
from tests.support.wire import record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with running_postgres() as running:
        yield running


@pytest.fixture
def url(server: Postgres) -> str:
    """Of a database of the test's own."""
    return server.new_database()


@pytest.fixture
def van(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Van]:
    """Enrolled at a backend whose rows are there."""
    monkeypatch.setenv(URL, url)
    with running_backend(tmp_path / "backend", identity=True) as backend:
        maker = RecordMaker(device_id="van-7")
        own = Van(backend, tmp_path, enrolled(backend, tmp_path, "van-7", maker.key), maker)
        with own.opened:
            yield own


def test_a_device_is_let_in_and_its_record_outlives_both_servers(
    server: Postgres, van: Van
) -> None:
    capture_id = new_id()
    content = record(van.maker, capture_id)

    assert van.wire().post(capture_id, content, content).status_code == 201
    van.backend.kill()
    server.kill()
    server.start()
    van.backend.start()

    assert "receipt" in van.wire().receipts(capture_id).json()[capture_id]
    assert "van-7" in van.backend.command("devices", "list")
    assert list(van.backend.data.glob("*.db*")) == []


def test_a_command_without_the_database_says_that_it_is_missing(
    van: Van, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(URL)

    with pytest.raises(ValueError, match=r"has no backend\.db: .* Set DOORSTEP_DATABASE"):
        van.backend.command("devices", "list")
    with pytest.raises(ValueError, match=r"has no backend in it: is --data right\?"):
        Backend(tmp_path, switches=False).command("devices", "list")


def test_a_database_that_is_not_there_is_a_sentence_and_no_traceback(
    server: Postgres, tmp_path: Path
) -> None:
    ended = ran("--data", str(tmp_path / "new"), "--database", server.database("none"))

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].endswith('database "none" does not exist')
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("is_there", [False, True])
def test_a_command_over_a_folder_without_keys_makes_none(
    url: str, tmp_path: Path, *, is_there: bool
) -> None:
    """A folder that is spelled wrong is no second CA over the same rows."""
    data = tmp_path / "new"
    if is_there:
        data.mkdir()

    ended = ran("--data", str(data), "--database", url, "fleet", "publish")

    assert ended.returncode == 1
    assert "is --data right?" in ended.stderr
    assert list(tmp_path.rglob("*")) == [data] * is_there


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    """A start or a command of the backend that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "doorstep_backend", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
