"""Opening a database that another process changed ends soon and takes little memory."""

from pathlib import Path
from typing import Any, Final

import pytest
import sqlite_utils  # noqa: F401, TID251 - a child with little memory may not be able to load it

from agent.queue.paths import Layout
from tests.faults.databases.make import MAKERS, make
from tests.faults.databases.opened import opened

LARGE: Final = {
    "more rows than a device makes",
    "rows without files",
    "a million facts",
    "a million states",
    "long names",
    "long values",
    "a long state",
    "a large log",
    "a tree of 60,000 levels",
    "a tree without end",  # sync gives it up after 20 s
    "a log of noise",  # SQLite itself waits for 10 s, where it may not write
}
"""Databases that take seconds to make, or to give up."""

MAYBE_SOUND: Final = {
    "rows without files",
    "a value that is not UTF-8",
    "a wrong number of pages",
    "changed bytes",
    "a large log",
    "an empty log",
    "a log of noise",
    "an index of noise",
}
"""Faults that SQLite ignores, or that only sync finds and reports, because it reads every value."""


def case(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow if name in LARGE else ())


@pytest.mark.parametrize("name", [case(name) for name in MAKERS])
def test_hostile_database_is_a_broken_queue_or_a_usable_one(tmp_path: Path, name: str) -> None:
    """In 96 MiB more than the process has, and without a signal or an error that nothing catches.

    All that capture cannot use is broken: that alone is set aside and made again.
    """
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()
    make(name, 1, layout.database)
    for suffix in ("-wal", "-shm"):  # else serve does not look
        Path(f"{layout.database}{suffix}").touch()

    found = {way: opened(layout, way) for way in ("serve", "sync", "capture")}

    for way, one in found.items():
        kinds = ["sound", "QueueBroken:", *(["StateHeld:"] if way == "serve" else [])]
        assert one.said.split(" ")[0] in kinds, (way, one.said)
        assert len(one.said) < 600
        assert one.took_s < 30
    if name not in MAYBE_SOUND:
        assert found["capture"].said != "sound"
        assert layout.rebuild_mark.exists()
