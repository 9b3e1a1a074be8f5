"""The backend that the suites of its wire ask, and a device that it has not seen yet."""

from collections.abc import Iterator

import pytest

from tests.backend.process import Backend, running_backend
from tests.support.factory import RecordMaker
from tests.support.wire import Wire, speaking_to, stranger


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as running:
        yield running


@pytest.fixture
def wire(backend: Backend) -> Iterator[Wire]:
    backend.set_switches()
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        yield wire


@pytest.fixture
def maker() -> RecordMaker:
    return stranger()
