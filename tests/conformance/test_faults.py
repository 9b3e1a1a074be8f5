"""The right check fails for each backend with one fault, and no other one without a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance import upload
from tests.conformance.broken_reference import BROKEN, FAULTS
from tests.conformance.broken_road import ROAD_EDITS
from tests.conformance.broken_smallest import EDITS, Edit
from tests.conformance.check import Profile
from tests.conformance.checks import CHECKS, cuts, writers
from tests.conformance.operators import reference, road, smallest
from tests.support.backend import Backend
from tests.support.conformance import conformance
from tests.support.device import environment
from tests.support.small_backends import (
    SMALLEST,
    SMALLEST_ROUTES,
    changed,
    python_backend,
    routes_backend,
)

BEHIND_NGINX = "foreign-authority-refused"
"""The check whose fault shows behind nginx only: the TLS of Python's server refuses by itself."""


class BrokenBackend(Backend):
    """The reference backend with the fault that the environment names."""

    faulty_module = "tests.conformance.broken_reference"


@pytest.mark.parametrize("edit", EDITS + ROAD_EDITS, ids=lambda edit: edit.name)
def test_fault_can_still_be_put_into_the_smallest_backend(tmp_path: Path, edit: Edit) -> None:
    compile(source_of(tmp_path, edit).read_text(), edit.name, "exec")


def source_of(folder: Path, edit: Edit) -> Path:
    source = SMALLEST_ROUTES if edit in ROAD_EDITS else SMALLEST
    return changed(folder, (edit.old, edit.new), source=source)


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_fault_of_smallest_backend_is_named_by_its_check(
    tmp_path: Path, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PAUSES_S", (0.05, 0.2, 0.5))
    monkeypatch.setattr(writers, "SETTLED_S", 1.0)
    monkeypatch.setattr(cuts, "SETTLED_S", 0.05)
    is_operated = edit.named_by.endswith("-survives-kill")
    with smallest.operated(python_backend(tmp_path, source=source_of(tmp_path, edit))) as words:
        run = conformance(tmp_path, words if is_operated else words[:-2])

    assert edit.named_by in run.failed
    assert run.failed <= {edit.named_by, *edit.also}


@pytest.mark.slow
@pytest.mark.parametrize("edit", ROAD_EDITS, ids=lambda edit: edit.name)
def test_fault_of_backend_for_the_road_is_named_by_its_check(tmp_path: Path, edit: Edit) -> None:
    backend = routes_backend(tmp_path, source_of(tmp_path, edit))
    with road.operated(backend, tmp_path) as words:
        run = conformance(tmp_path, [*words, *only(edit.named_by, Profile.ROUTES)])

    assert edit.named_by in run.failed
    assert run.failed <= {edit.named_by, *edit.also}


@pytest.mark.slow
@pytest.mark.parametrize("check", FAULTS)
def test_fault_of_reference_backend_is_named_by_its_check(tmp_path: Path, check: str) -> None:
    with environment(**{BROKEN: check}), operated(check, tmp_path) as words:
        run = conformance(tmp_path, [*words, *only(check)])

    assert run.failed == {check}


@contextmanager
def operated(check: str, folder: Path) -> Iterator[list[str]]:
    """Run the backend with the fault of this check; give the words as `reference.operated`."""
    is_behind = check == BEHIND_NGINX
    backend = BrokenBackend(
        folder / "backend", switches=True, identity=True, behind_proxy=is_behind
    )
    if is_behind:
        with reference.behind_nginx(backend, folder, pass_every_certificate_on) as words:
            yield words
        return
    backend.start()
    try:
        with reference.operated(backend, folder) as words:
            yield words
    finally:
        backend.kill()


def pass_every_certificate_on(configuration: str) -> str:
    verified = 'default                          "";'
    assert verified in configuration
    return configuration.replace(verified, "default $ssl_client_escaped_cert;")


def only(meant: str, profile: Profile = Profile.FLEET) -> list[str]:
    """Return the words that choose a check, and others that its fault should leave alone.

    Those of uploads have faults of their own, and those by an operator take long.
    """
    others = [
        check.name
        for check in CHECKS
        if not check.operator
        and profile.contains(check.profile)
        and (check.profile is not Profile.RECEIPTS or check.name.startswith("manifest-"))
    ]
    return [word for name in {*others, meant} for word in ("--only", name)]
