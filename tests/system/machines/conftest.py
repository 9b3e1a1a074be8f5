"""The networks, and an office in them; one for each file of tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.machines.network import Network
from tests.system.machines.office import Office, office


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    if os.geteuid() != 0:
        pytest.fail("machines need namespaces and mounts: run `scripts/test --provision` as root")
    with Network() as made:
        yield made


@pytest.fixture(scope="module")
def at_the_office(
    network: Network,  # noqa: ARG001 - made before it
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Office]:
    folder: Path = tmp_path_factory.mktemp("office")
    with office(folder) as made:
        yield made
