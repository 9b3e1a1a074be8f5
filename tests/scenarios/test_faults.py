"""The faults of the table in scripts/provisioning/faults.md, with real processes."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.scenarios import device_faults, disk_faults, network_faults, sending_faults, stop_faults
from tests.scenarios.faults import SCENARIOS, table
from tests.support.backend import Backend, running_backend


def faults_of(*modules: ModuleType) -> pytest.MarkDecorator:
    names = {module.__name__ for module in modules}
    chosen = sorted(name for name, scenario in SCENARIOS.items() if scenario.__module__ in names)
    return pytest.mark.parametrize("fault", chosen)


@pytest.fixture(scope="class")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


def test_table_and_scenarios_have_the_same_faults() -> None:
    assert sorted(table()) == sorted(SCENARIOS)


class Faults:
    """Every fault comes to the log, the light and the states of its row.

    A class for each part, because the classes run side by side.
    """

    @pytest.mark.slow
    def test_fault_ends_as_its_row_says(self, tmp_path: Path, backend: Backend, fault: str) -> None:
        row = table()[fault]

        seen = SCENARIOS[fault](tmp_path / "device", backend)

        for words in row.log:
            assert words in seen.log, seen.log
        assert seen.light == row.light
        assert seen.states == row.states


@faults_of(device_faults)
class TestDevice(Faults): ...


@faults_of(disk_faults, stop_faults)
class TestDisk(Faults): ...


@faults_of(network_faults)
class TestNetwork(Faults): ...


@faults_of(sending_faults)
class TestSending(Faults): ...
