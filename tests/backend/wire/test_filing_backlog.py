"""The number of records that wait to be filed, and the time since when."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from doorstep_backend.wire import filing_backlog
from doorstep_backend.wire.filing_backlog import BacklogSize
from tests.support.demo_office import DemoOffice

FIRST, SECOND = datetime(2026, 12, 1, 11, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC)


def test_a_backlog_is_counted_so_far_and_since_its_first_also_once_that_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filing_backlog, "MOST_COUNTED", 2)
    demo_office = DemoOffice(tmp_path)
    marks = demo_office.office.store.filing_backlog
    assert marks.backlog() == BacklogSize(0, None)
    ids = [
        demo_office.keep(demo_office.stray(), f"2026-12-01T{hour}:00:00.000Z").label.capture_id
        for hour in (12, 11, 13)
    ]

    assert marks.backlog() == BacklogSize(2, FIRST)
    (first,) = marks.take_of(ids[1:2], FIRST)
    marks.put_off(first, "Missing", FIRST)
    assert marks.backlog() == BacklogSize(2, FIRST)
    marks.done([first])
    assert marks.backlog() == BacklogSize(2, SECOND)
