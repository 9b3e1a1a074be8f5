"""Offices with the demo's orders, a CA and its register, and another thread or database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from doorstep_backend import keys
from doorstep_backend.engines.opening import PER_FOLDER, URL
from doorstep_backend.engines.postgres import close_pools
from doorstep_backend.identity.authority import Authority
from tests.backend.issuing import Issuer
from tests.support.demo_office import DemoOffice
from tests.support.live_pages import Live, live_pages
from tests.support.postgres import running_postgres
from tests.support.sealed_fleet import SealedFleet


@pytest.fixture
def demo_office(tmp_path: Path) -> DemoOffice:
    return DemoOffice(tmp_path)


@pytest.fixture
def fleet(tmp_path: Path) -> SealedFleet:
    return SealedFleet(tmp_path / "backend")


@pytest.fixture(scope="package")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Run one backend for all tests that change nothing in it."""
    with live_pages(tmp_path_factory.mktemp("unchanged")) as live:
        yield live


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> keys.Certificates:
    return keys.certificates(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def authority(ca: keys.Certificates) -> Authority:
    return Authority.of(ca.folder)


@pytest.fixture
def issuer(tmp_path: Path, ca: keys.Certificates) -> Issuer:
    return Issuer(tmp_path, ca)


@pytest.fixture
def elsewhere() -> Iterator[ThreadPoolExecutor]:
    """Run a thread for the steps that another person takes at the same time."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def on_postgresql(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a PostgreSQL for the folders that the test opens from here on, and give its URL."""
    with running_postgres(fsync=False) as server, monkeypatch.context() as changed:
        changed.setenv(URL, server.url)
        changed.delenv(PER_FOLDER, raising=False)
        yield server.url
        close_pools()
