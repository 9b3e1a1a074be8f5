"""What fills a database is as a backend leaves it."""

from datetime import UTC, datetime

import pytest

from tests.bench import records

COUNT, DEVICES = 2_000, 20


def test_what_is_taken_back_is_a_photo_that_the_same_device_made_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "DEVICES", DEVICES)
    tables = records.Month(COUNT, datetime(2026, 12, 1, tzinfo=UTC)).tables()
    ((columns, rows),) = [one for one in tables.items() if one[0].startswith("captures ")]
    names = columns.partition("(")[2].rstrip(")").split(", ")
    made = [dict(zip(names, row, strict=True)) for row in rows]
    photos = {one["capture_id"]: one for one in made if one["kind"] == "photo"}

    taken_back = [(void, photos[void["about"]]) for void in made if void["kind"] == "void"]

    assert len(taken_back) == sum(one["taken_back_at"] is not None for one in made) > 0
    for void, photo in taken_back:
        assert photo["device_id"] == void["device_id"]
        assert photo["taken_back_at"] == void["received_at"] > photo["received_at"]
