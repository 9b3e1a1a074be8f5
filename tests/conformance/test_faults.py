"""The right check fails for each backend with one fault, and no other one without a reason."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance import upload
from tests.conformance.broken_reference import BROKEN, FAULTS
from tests.conformance.broken_smallest import EDITS, Edit
from tests.conformance.check import Profile
from tests.conformance.checks import CHECKS, cuts, writers
from tests.conformance.operators import reference, smallest
from tests.support.backend import Backend
from tests.support.conformance import conformance
from tests.support.device import environment
from tests.support.small_backends import changed, python_backend

BEHIND_NGINX = "foreign-authority-refused"
"""The check whose fault shows behind nginx only: the TLS of Python's server refuses by itself."""


class BrokenBackend(Backend):
    """The reference backend with the fault that the environment names."""

    faulty_module = "tests.conformance.broken_reference"


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
    monkeypatch.setattr(cuts, "SETTLED_S", 0.05)
    is_operated = edit.named_by == "receipt-survives-kill"
    source = changed(tmp_path, (edit.old, edit.new))
    with smallest.operated(python_backend(tmp_path, source=source)) as words:
        run = conformance(tmp_path, words if is_operated else words[:-2])

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


def only(meant: str) -> list[str]:
    """Return the words that choose a check, and others that its fault should leave alone.

    Those of uploads have faults of their own, and those by an operator take long.
    """
    others = [
        check.name
        for check in CHECKS
        if not check.operator
        and (check.profile is not Profile.RECEIPTS or check.name.startswith("manifest-"))
    ]
    return [word for name in {*others, meant} for word in ("--only", name)]
