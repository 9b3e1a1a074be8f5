"""Every backend of the repository passes the conformance command."""

from pathlib import Path

import pytest

from doorstep_backend.engines.opening import URL
from tests.conformance.broken_reference import FAULTS
from tests.conformance.broken_road import ROAD_EDITS
from tests.conformance.broken_smallest import EDITS
from tests.conformance.check import Profile
from tests.conformance.checks import CHECKS
from tests.conformance.operators import reference, road, smallest
from tests.support.backend import REPOSITORY, Backend, running_backend
from tests.support.conformance import conformance
from tests.support.device import environment
from tests.support.engines import only_sqlite
from tests.support.postgres import running_postgres
from tests.support.small_backends import node_backend, python_backend, routes_backend

BEFORE_FLEET = frozenset(one.name for one in CHECKS if one.profile is not Profile.FLEET)

OF_RECEIPTS = frozenset(one.name for one in CHECKS if one.profile is Profile.RECEIPTS)

EVERY = frozenset(check.name for check in CHECKS)


@pytest.mark.slow
def test_reference_backend_passes_every_check(tmp_path: Path) -> None:
    assert passed_by_reference(tmp_path) == EVERY


@pytest.mark.slow
def test_devices_with_certificates_as_files_pass_what_their_profile_checks(tmp_path: Path) -> None:
    with (
        running_backend(tmp_path / "backend", switches=False, identity=True) as backend,
        reference.operated(backend, tmp_path, profile=Profile.ROUTES) as words,
    ):
        run = conformance(tmp_path, words)

    assert run.passed == BEFORE_FLEET


@pytest.mark.slow
@only_sqlite
def test_reference_backend_passes_every_check_on_postgresql(tmp_path: Path) -> None:
    with running_postgres(fsync=False) as server, environment(**{URL: server.url}):
        assert passed_by_reference(tmp_path) == EVERY


def passed_by_reference(folder: Path) -> frozenset[str]:
    with (
        running_backend(folder / "backend", switches=False, identity=True) as backend,
        reference.operated(backend, folder) as words,
    ):
        return conformance(folder, words).passed


def test_results_page_has_the_counts_of_checks_and_of_faulty_backends() -> None:
    page = (REPOSITORY / "tests/results.md").read_text()
    faults = len(EDITS) + len(ROAD_EDITS) + len(FAULTS)

    for words in (
        f"| the reference backend, SQLite | fleet | {len(EVERY)} | 0 | 0 |",
        f"| the same, certificates as files | routes | {len(BEFORE_FLEET)} | 0 | 0 |",
        f"receipts | {len(OF_RECEIPTS)} | 0 | 0 |",
        f"\n{faults} backends have one fault each",
    ):
        assert words in page


@pytest.mark.slow
def test_smallest_backend_passes_every_check_of_its_profile(tmp_path: Path) -> None:
    with smallest.operated(python_backend(tmp_path)) as words:
        assert conformance(tmp_path, words).passed == OF_RECEIPTS


@pytest.mark.slow
def test_smallest_backend_for_the_road_passes_every_check_that_it_can(tmp_path: Path) -> None:
    with road.operated(routes_backend(tmp_path), tmp_path) as words:
        run = conformance(tmp_path, words)

    assert run.passed == BEFORE_FLEET - {"key-change"}
    assert not run.failed


@pytest.mark.slow
def test_node_backend_passes_every_check_of_its_profile(tmp_path: Path) -> None:
    with smallest.operated(node_backend(tmp_path)) as words:
        assert conformance(tmp_path, words).passed == OF_RECEIPTS


@pytest.mark.slow
def test_reference_backend_passes_every_check_behind_nginx(tmp_path: Path) -> None:
    backend = Backend(tmp_path / "backend", switches=False, identity=True, behind_proxy=True)
    with reference.behind_nginx(backend, tmp_path) as words:
        assert conformance(tmp_path, words).passed == EVERY
