"""A system clock that is years ahead, and `doorstep prune`, which trusts certain times alone."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.trust.store import KeptTime, TrustStore
from tests.support.backend import running_backend
from tests.support.device import Device, device, towards
from tests.support.faketime import TEN_YEARS_AHEAD, faked

pytestmark = pytest.mark.slow


def prune(van: Device, **options: Any) -> str:
    pruned = van.run("prune", **options)
    assert pruned.returncode == 0, pruned.stderr
    return str(pruned.stdout)


def test_prune_uses_only_the_time_on_which_receipt_and_clock_agreed(tmp_path: Path) -> None:
    """Prune trusts neither its clock, which may be years ahead, nor the time of another boot."""
    with (
        running_backend(tmp_path / "backend") as backend,
        device(tmp_path / "van", backend=towards(backend)) as van,
    ):
        store, far_ahead = TrustStore(van.layout), {**os.environ, **faked(TEN_YEARS_AHEAD)}
        van.start("capture")
        van.press()
        assert "only one may run" in van.run("prune").stderr
        van.stop("capture")
        before = prune(van)
        van.start("capture")
        assert van.run("sync", "--once").returncode == 0
        van.await_that(lambda: store.time().agreed is not None)
        van.press()  # the newest stays
        van.stop("capture")
        too_soon = prune(van, env=far_ahead)
        van.configure(retention={"file_hours": 0}, backend=towards(backend))
        known = store.time()
        assert known.agreed is not None
        store.keep_time(KeptTime(known.floor, replace(known.agreed, boot_id="another")))
        in_another_boot = prune(van, env=far_ahead)
        store.keep_time(known)
        due = prune(van)

        assert "nothing was deleted for its age" in before
        assert too_soon == "0 records and 0 record labels deleted\n"
        assert "nothing was deleted for its age" in in_another_boot
        assert due == "2 records and 0 record labels deleted\n"
        assert len(list(van.layout.records.glob("*.label"))) == 2
