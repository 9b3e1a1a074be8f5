"""The backends that the suites of its wire ask, and devices that they have not seen yet."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from doorstep_backend import keys
from tests.support import nginx
from tests.support.backend import Backend, running_backend
from tests.support.buckets import Engine
from tests.support.ceph import ceph_engine
from tests.support.demo_office import DemoOffice
from tests.support.enrolment import EnrolledDevice, enrolled, technician
from tests.support.factory import RecordMaker, new_id
from tests.support.instances import address, instance
from tests.support.opened import Opened, bucket, folder
from tests.support.s3 import s3_engine
from tests.support.sealed_fleet import SealedFleet
from tests.support.wire import Wire, record, speaking_to, stranger


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
def alone(tmp_path: Path) -> Iterator[Backend]:
    """A backend that no other test speaks to."""
    with running_backend(tmp_path / "backend", show_simulated=True) as running:
        yield running


@pytest.fixture
def maker() -> RecordMaker:
    return stranger()


@pytest.fixture
def capture_id() -> str:
    return new_id()


@pytest.fixture
def content(maker: RecordMaker, capture_id: str) -> bytes:
    """A record of the maker, with a photo and that id."""
    return record(maker, capture_id)


ENGINES: Final = {"seaweedfs": s3_engine, "ceph": ceph_engine}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--s3",
        choices=sorted(ENGINES),
        default="seaweedfs",
        help="which S3 engine is started: SeaweedFS, or by hand Ceph",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = config.getoption("--s3", "seaweedfs") == "ceph"
    return True if collection_path.name == "test_objects_ceph.py" and not asked else None


@pytest.fixture(scope="session")
def run_engine(
    pytestconfig: pytest.Config,
) -> Callable[[Path], AbstractContextManager[Engine]]:
    """Runs the S3 engine that was asked for, over a new folder."""
    return ENGINES[pytestconfig.getoption("--s3", "seaweedfs")]


@pytest.fixture(scope="session")
def engine(
    run_engine: Callable[[Path], AbstractContextManager[Engine]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Engine]:
    """An S3 engine; from then on the backend's keys are in the environment."""
    with run_engine(tmp_path_factory.mktemp("s3") / "engine") as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend"), identity=True) as running:
        yield running


@contextmanager
def device_at(backend: Backend, folder: Path) -> Iterator[EnrolledDevice]:
    """A device that is enrolled there: what happens to it concerns no other test."""
    backend.set_switches()
    maker = RecordMaker(device_id=f"van-{uuid4()}")
    van = EnrolledDevice(
        backend, folder, enrolled(backend, folder, maker.device_id, maker.key), maker
    )
    with van.opened:
        yield van


@pytest.fixture
def van(guarded: Backend, tmp_path: Path) -> Iterator[EnrolledDevice]:
    with device_at(guarded, tmp_path) as van:
        yield van


@pytest.fixture
def ada(van: EnrolledDevice, tmp_path: Path) -> Iterator[Wire]:
    """A technician, on a connection of hers."""
    own = technician(van.backend, tmp_path, f"ada-{van.device_id[-12:]}")
    with speaking_to(van.backend.base_url, van.backend.ca_file, (own, own)) as wire:
        yield wire


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """An instance behind nginx; at `port` it speaks plain HTTP itself."""
    folder = tmp_path_factory.mktemp("behind")
    with instance(folder / "backend") as backend:
        ca = keys.certificates(backend.data / "ca")
        with nginx.before([address(backend)], ca, folder / "nginx") as url:
            backend.base_url = url
            yield backend


@pytest.fixture
def proxied(behind: Backend, tmp_path: Path) -> Iterator[EnrolledDevice]:
    """A device that asks through nginx."""
    with device_at(behind, tmp_path) as van:
        yield van


@pytest.fixture(params=[folder, pytest.param(bucket, marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest) -> Opened:
    opener: Callable[[pytest.FixtureRequest], Opened] = request.param
    return opener(request)


@pytest.fixture
def demo_office(opened: Opened, tmp_path: Path) -> DemoOffice:
    return DemoOffice(tmp_path / "backend", objects=opened.objects)


@pytest.fixture
def fleet(opened: Opened, tmp_path: Path) -> SealedFleet:
    return SealedFleet(tmp_path / "fleet", objects=opened.objects)
