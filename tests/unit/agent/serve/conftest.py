"""A device that serves, for all tests that leave it as it was."""

from collections.abc import Iterator

import pytest

from tests.support.served import ServingDevice, served
from tests.unit.agent.command.inprocess import filled


@pytest.fixture(scope="session")
def van(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingDevice]:
    """Five records wait, are refused, damaged or suspect; nobody has the queue open."""
    with served(tmp_path_factory.mktemp("served") / "van") as made:
        filled(made.device)
        yield made
