"""The faults of the table in scripts/provisioning/faults.md, with real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios import device_faults, disk_faults, network_faults, sending_faults, stop_faults
from tests.scenarios.faults import SCENARIOS, table
from tests.support.backend import Backend, running_backend

assert device_faults
assert disk_faults
assert network_faults
assert sending_faults
assert stop_faults


def test_every_fault_of_the_readme_is_tried_and_every_one_tried_is_in_the_readme() -> None:
    assert sorted(table()) == sorted(SCENARIOS)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("fault", sorted(SCENARIOS))
def test_a_fault_comes_to_what_the_readme_says(
    tmp_path: Path, backend: Backend, fault: str
) -> None:
    row = table()[fault]

    seen = SCENARIOS[fault](tmp_path / "device", backend)

    for words in row.log:
        assert words in seen.log, seen.log
    assert seen.light == row.light
    assert seen.states == row.states
