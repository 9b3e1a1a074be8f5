"""Ten rounds of each race; `python -m tests.faults.races` plays 200."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from doorstep_backend.engines.opening import URL
from tests.faults.races.play import engines, play
from tests.faults.races.races import RACES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def _postgres() -> Iterator[None]:
    with engines("postgresql", "folder"):
        yield


@pytest.mark.usefixtures("_postgres")
def test_no_race_on_postgresql_ends_wrong(tmp_path: Path) -> None:
    for one in play(tmp_path / "backend", list(RACES), rounds=10, seed=1):
        assert not one.wrong, f"{one.race}: {dict(one.wrong)}"


def test_no_race_on_sqlite_ends_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL, raising=False)
    for one in play(tmp_path / "backend", list(RACES), rounds=10, seed=1):
        assert not one.wrong, f"{one.race}: {dict(one.wrong)}"


@pytest.mark.usefixtures("_postgres")
def test_the_rig_sees_the_routes_that_are_lost_without_locks(tmp_path: Path) -> None:
    (found,) = play(tmp_path / "backend", ["gone-gone"], rounds=30, seed=1, locks=False)

    assert found.wrong
