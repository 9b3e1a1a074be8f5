"""The real process's log: when a line was written."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.models import from_rfc3339
from tests.support.backend import running_backend
from tests.support.factory import new_id
from tests.support.wire import speaking_to


@pytest.fixture(params=["nobody", "another", "this"])
def journal(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Return True if journald keeps the log; a shell's stream may be another one."""
    (tmp_path / "backend").mkdir(mode=0o700)
    log = tmp_path / "backend" / "backend.log"
    log.touch()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    if request.param != "nobody":
        found = (log if request.param == "this" else tmp_path).stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    is_this: bool = request.param == "this"
    return is_this


def test_each_line_begins_with_its_time_where_nobody_else_says_it(
    tmp_path: Path, *, journal: bool
) -> None:
    began = datetime.now(UTC) - timedelta(milliseconds=1)
    with running_backend(tmp_path / "backend") as backend:
        with speaking_to(backend.base_url, backend.ca_file) as wire:
            wire.post(new_id(), b"no record", b"no record")
        lines = backend.log().splitlines()

    dated = [re.fullmatch(r"(\S+T\S+\.\d{3}Z )?[A-Z]+ (\S.*)", line) for line in lines]
    assert any(found and found[2].startswith("verdict=damaged") for found in dated)
    times = [found[1] for found in dated if found]
    if journal:
        assert times == [None] * len(lines)
    else:
        assert all(began <= from_rfc3339(one.strip()) <= datetime.now(UTC) for one in times)
        assert len(times) == len(lines)
