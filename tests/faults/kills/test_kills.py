"""A few kills of each backend on every run of CI; the rig makes hundreds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.kills.rig import killed
from tests.support.small_backends import (
    SmallBackend,
    changed,
    node_backend,
    python_backend,
)

KILLS = 5

pytestmark = pytest.mark.slow

SIGNS_TOO_EARLY = (
    (
        "            keep(self.record(capture_id), content)\n",
        """\
            asyncio.get_running_loop().call_later(1, keep, self.record(capture_id), content)
            self.early = content
""",
    ),
    (
        "content, at = record.read_bytes(), gmtime(record.stat().st_mtime)",
        "content, at = self.early, gmtime()",
    ),
)
"""A receipt a second before the record is written."""


@pytest.mark.parametrize("make", [python_backend, node_backend])
def test_killed_backend_keeps_each_record_that_has_a_receipt(
    make: Callable[[Path], SmallBackend], tmp_path: Path
) -> None:
    count = killed(make(tmp_path).start(), tmp_path, KILLS, seed=1)

    assert not count.lost
    assert count.receipts
    assert count.cut, "no kill came while a record was sent"


def test_rig_finds_a_backend_that_signs_too_early(tmp_path: Path) -> None:
    source = changed(tmp_path, *SIGNS_TOO_EARLY)
    backend = python_backend(tmp_path, source=source).start()

    assert killed(backend, tmp_path, KILLS, seed=1).lost
