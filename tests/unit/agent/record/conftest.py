"""A photo of a real device, and a copy of it to tamper with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorstep_backend.identity.register import Register
from tests.support.backend import running_backend
from tests.support.device import device
from tests.support.enrolment import required
from tests.unit.agent.record.delivery import WORLD, Delivery


@pytest.fixture(scope="package")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    folder = tmp_path_factory.mktemp("by-hand")
    with (
        running_backend(folder / "backend", identity=True) as backend,
        device(folder / "van", WORLD, **required(backend)) as van,
    ):
        token = Register(backend.data).let_in("van-7")
        enrolled = van.run("enrol", backend.base_url, input=token)
        assert enrolled.returncode == 0, enrolled.stderr
        van.start("capture")
        yield Delivery(folder / "page/photo", backend, van)


@pytest.fixture
def photo(delivery: Delivery, tmp_path: Path) -> Path:
    return Path(shutil.copytree(delivery.folder, tmp_path / "photo"))
