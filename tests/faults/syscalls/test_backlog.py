"""A hundred thousand records wait: a device that had no network for years still works."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any, Final
from uuid import uuid4

import pytest

from agent.models import CaptureId, RecordState
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.status.document import LIMIT_BYTES
from hardware.clock_system import boot_id
from tests.bench.rows import insert, waiting_rows
from tests.support.backend import running_backend
from tests.support.device import Device, device, towards

pytestmark = pytest.mark.slow

ROWS: Final = 100_000
LINKS: Final = 50_000
"""Most names of one file here; ext4 allows 65,000."""

AN_HOUR_S: Final = 3600.0


@pytest.fixture(scope="module")
def van(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """A device with one photo of its own, and behind it the backlog, which is backed off."""
    folder = tmp_path_factory.mktemp("backlog")
    with running_backend(folder / "backend") as backend:
        settings: dict[str, Any] = {"device": {"id": f"van-{uuid4()}"}, "backend": towards(backend)}
        with device(folder / "van", **settings) as made:
            first = made.run("capture", "--once")
            assert first.returncode == 0, first.stderr
            fill_up(made.layout)
            yield made


def fill_up(layout: Layout) -> None:
    """Rows with their files; the files are all the same one, under as many names."""
    source = next(layout.records.glob("*.rec"))
    due_s = time.clock_gettime(time.CLOCK_BOOTTIME) + AN_HOUR_S
    rows = list(islice(waiting_rows(due_s), ROWS))
    with closing(Database(layout)) as database:
        insert(database, rows)
    for number, row in enumerate(rows):
        name = layout.record(row["capture_id"])
        if number % LINKS == 0:
            name.write_bytes(source.read_bytes())
            source = name
        else:
            os.link(source, name)


def state(van: Device, capture_id: str) -> RecordState:
    with closing(Database(van.layout)) as database:
        return Outbox(database, boot_id()).get(CaptureId(capture_id)).state


def test_a_device_with_a_long_backlog_works_as_ever(van: Device) -> None:
    """Capture starts, a press is served and sent next, and a person can look at the queue."""
    van.start("capture")
    pressed = van.press()["label"]
    status = van.run("status", "--json")
    page = van.run("queue", "--json", "--after", str(ROWS // 2), "--limit", "20")
    last = van.run("queue", "--json", "--after", str(ROWS), "--limit", "100")

    assert status.returncode == 0, status.stderr
    assert len(status.stdout) <= LIMIT_BYTES + len("\n")
    assert json.loads(status.stdout)["queue"]["waiting"] == ROWS + 3
    numbers = [json.loads(line)["number"] for line in page.stdout.splitlines()]
    assert numbers == list(range(ROWS // 2 + 1, ROWS // 2 + 21))
    assert json.loads(last.stdout.splitlines()[-1])["capture_id"] == pressed["capture_id"]
    van.start("sync")
    van.await_that(lambda: state(van, pressed["capture_id"]) is RecordState.DELIVERED)
    van.stop("sync")
    assert van.stop("capture") == 0
