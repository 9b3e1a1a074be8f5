"""A status in files is whole, readable for the group, and input for its readers."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import NotNow, StorageFault
from agent.queue.paths import Layout
from agent.status import kept
from agent.status.values import DoctorPart, QueueFailed, QueuePart
from tests.support.factory import MOMENT

UNREADABLE = [
    b"",
    b"[",
    b"[]",
    b"7",
    b'{"queue": 7, "utc": "x"}',
    b'{"queue": {}}',
    b"[" * 4_000,
    b'{"utc": 7, "failed": []}',
    b'{"utc": "2026-12-01T09:00:00Z", "failed": 7}',
    b'{"utc": "2026-12-01T09:00:00Z", "failed": [7]}',
    b'{"utc": "2026-12-01T09:00:00Z", "failed": ["' + b"x" * 5_000 + b'"]}',
]


@pytest.fixture(params=[0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_both_are_for_the_group_to_read_and_leave_nothing_beside_them(layout: Layout) -> None:
    for _ in range(2):
        kept.keep_queue(layout, QueuePart(1, 0, 0, 0), MOMENT)
        kept.keep_doctor(layout, ["disk"])

    for file in (layout.status_file, layout.doctor_file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert not file.with_suffix(".part").exists()
    assert kept.read_queue(layout) == QueuePart(1, 0, 0, 0, as_of="2026-12-01T09:00:00.000Z")


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_note_counts_as_missing(layout: Layout, text: bytes) -> None:
    layout.status_file.write_bytes(text)
    layout.doctor_file.write_bytes(text)

    assert kept.read_doctor(layout) is None
    with pytest.raises(NotNow, match="start `doorstep capture`"):
        kept.read_queue(layout)


def test_a_link_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps({"utc": "2026-12-01T09:00:00Z", "failed": []}))
    layout.doctor_file.symlink_to(tmp_path / "elsewhere")

    assert kept.read_doctor(layout) is None
    kept.keep_doctor(layout, ["disk"])
    assert not layout.doctor_file.is_symlink()
    assert "disk" not in (tmp_path / "elsewhere").read_text()


def test_queue_that_cannot_be_kept_is_reported(layout: Layout) -> None:
    layout.status_file.with_suffix(".part").mkdir()

    with pytest.raises(StorageFault, match=r"cannot write .*status\.json"):
        kept.keep_queue(layout, QueueFailed("gone"), MOMENT)


def test_first_findings_of_doctor_are_shown_once_and_nothing_else(layout: Layout) -> None:
    kept.keep_doctor(layout, ["queue", "disk", "queue", "torn files", "clock"])
    found = kept.read_doctor(layout)
    assert found is not None
    assert found.failed == ("queue", "disk", "torn files")
    assert found.utc.endswith(":00:00.000Z")

    strange = ["\x1b[2J", "x" * 99, "", "Disk", "disk"]
    layout.doctor_file.write_text(json.dumps({"utc": "2026-12-01T09:15:00Z", "failed": strange}))

    assert kept.read_doctor(layout) == DoctorPart("2026-12-01T09:00:00.000Z", ("disk",))
