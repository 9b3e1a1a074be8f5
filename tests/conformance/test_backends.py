"""Every backend of the repository passes the conformance command, and every faulty one does not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doorstep_backend import keys
from doorstep_backend.engines.opening import URL
from tests.conformance import upload
from tests.conformance.broken_reference import BROKEN
from tests.conformance.check import Check, Profile
from tests.conformance.checks import CHECKS, writers
from tests.conformance.operators import reference, smallest
from tests.conformance.variants import CHANGES, EDITS, Edit
from tests.support import nginx
from tests.support.backend import REPOSITORY, Backend, running_backend
from tests.support.conformance import conformance
from tests.support.device import environment
from tests.support.engines import only_sqlite
from tests.support.instances import address
from tests.support.postgres import running_postgres
from tests.support.small_backends import changed, node_backend, python_backend

FOREIGN = "foreign-authority-refused"

BEFORE_FLEET = frozenset(one.name for one in CHECKS if one.profile is not Profile.FLEET)

OF_RECEIPTS = frozenset(one.name for one in CHECKS if one.profile is Profile.RECEIPTS)

EVERY = frozenset(check.name for check in CHECKS)


class BrokenBackend(Backend):
    """The reference backend with the fault that the environment names."""

    faulty_module = "tests.conformance.broken_reference"


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
    faults = len(EDITS) + len(CHANGES) + 1  # and any_authority

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
def test_node_backend_passes_every_check_of_its_profile(tmp_path: Path) -> None:
    with smallest.operated(node_backend(tmp_path)) as words:
        assert conformance(tmp_path, words).passed == OF_RECEIPTS


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_fault_can_still_be_put_into_the_smallest_backend(tmp_path: Path, edit: Edit) -> None:
    compile(changed(tmp_path, (edit.old, edit.new)).read_text(), edit.name, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_fault_of_smallest_backend_is_named_by_its_check(
    tmp_path: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PAUSES_S", (0.05, 0.2, 0.5))
    monkeypatch.setattr(writers, "SETTLED_S", 1.0)
    is_operated = edit.named_by == "receipt-survives-kill"
    source = changed(tmp_path, (edit.old, edit.new))
    with smallest.operated(python_backend(tmp_path, source=source)) as words:
        run = conformance(tmp_path, words if is_operated else words[:-2])

    assert edit.named_by in run.failed
    assert set(run.failed) <= {edit.named_by, *edit.also}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_fault_of_reference_backend_is_named_by_its_check(tmp_path: Path, name: str) -> None:
    with broken(name, tmp_path) as backend, reference.operated(backend, tmp_path) as words:
        run = conformance(tmp_path, [*words, *only(CHANGES[name])])

    assert set(run.failed) == {CHANGES[name]}


@pytest.mark.slow
def test_reference_backend_passes_every_check_behind_nginx(tmp_path: Path) -> None:
    backend = Backend(tmp_path / "backend", switches=False, identity=True, behind_proxy=True)
    with behind_nginx(backend, tmp_path) as words:
        assert conformance(tmp_path, words).passed == EVERY


@pytest.mark.slow
def test_certificate_of_any_authority_that_nginx_passes_on_is_named(tmp_path: Path) -> None:
    """TLS of Python's server refuses it by itself."""
    backend = BrokenBackend(tmp_path / "backend", switches=True, identity=True, behind_proxy=True)
    with (
        environment(**{BROKEN: "any_authority"}),
        behind_nginx(backend, tmp_path, pass_every_certificate_on) as words,
    ):
        run = conformance(tmp_path, [*words, *only(FOREIGN)])

    assert set(run.failed) == {FOREIGN}


@contextmanager
def behind_nginx(
    backend: Backend, folder: Path, configured: Callable[[str], str] = str
) -> Iterator[list[str]]:
    backend.data.mkdir(mode=0o700)
    (backend.data / "backend.toml").write_text('proxy = ["127.0.0.1"]\n')
    backend.start()
    try:
        ca = keys.certificates(backend.data / "ca")
        with (
            nginx.before([address(backend)], ca, folder / "nginx", configured) as url,
            reference.operated(backend, folder, url=url) as words,
        ):
            yield words
    finally:
        backend.kill()


def pass_every_certificate_on(configuration: str) -> str:
    verified = 'default                          "";'
    assert verified in configuration
    return configuration.replace(verified, "default $ssl_client_escaped_cert;")


@contextmanager
def broken(name: str, folder: Path) -> Iterator[Backend]:
    backend = BrokenBackend(folder / "backend", switches=True, identity=True)
    with environment(**{BROKEN: name}):
        backend.start()
        try:
            yield backend
        finally:
            backend.kill()


def only(check_name: str) -> list[str]:
    """Return the words that choose a check, and others that its fault should leave alone.

    These are all of uploads, or all others. Checks by an operator take long.
    """
    (meant,) = (check for check in CHECKS if check.name == check_name)
    chosen = [
        check.name
        for check in CHECKS
        if is_of_uploads(check) is is_of_uploads(meant) and not check.operator
    ]
    return [word for name in {*chosen, check_name} for word in ("--only", name)]


def is_of_uploads(check: Check) -> bool:
    return check.profile is Profile.RECEIPTS and not check.name.startswith("manifest-")
