"""Few power cuts of each backend on every run of CI; the rig makes hundreds."""

from pathlib import Path

import pytest

from tests.faults.kills.power_cuts import RECORDS, Make, lost, recording
from tests.faults.powercut import disk
from tests.support import needs
from tests.support.small_backends import changed, node_backend, python_backend

STATES = 30

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _parts() -> None:
    if words := needs.missing_words(*disk.NEEDS):
        pytest.fail(words)


@pytest.mark.parametrize("make", [python_backend, node_backend])
def test_power_cut_loses_no_record_that_has_a_receipt(make: Make, tmp_path: Path) -> None:
    made = recording(tmp_path, make)

    assert len(made.promises) == RECORDS
    assert lost(tmp_path, made, STATES, seed=1) == (STATES, set())


@pytest.mark.parametrize("left_out", ["    flush(new)\n", "        flush(record.parent)\n"])
def test_backend_without_a_flush_loses_records(left_out: str, tmp_path: Path) -> None:
    """Without the flush of the bytes, or of the names, the same cuts lose what has a receipt."""
    source = changed(tmp_path, (left_out, ""))

    made = recording(tmp_path, lambda folder, data: python_backend(folder, data, source))

    assert lost(tmp_path, made, STATES, seed=1)[1]
