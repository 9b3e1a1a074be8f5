"""The state folder: made once, with modes that let several users share it."""

import errno
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.config import StateSettings
from agent.errors import StorageFault
from agent.queue.paths import Layout

UNITS_UMASK = 0o007
"""Source: systemd/doorstep-capture.service."""


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


TABLE = {
    "state": 0o2750,
    "state/queue": 0o2770,
    "state/queue/doorstep.db": 0o660,
    "state/records": 0o2755,
    "state/receipts": 0o2755,
    "state/torn": 0o2755,
    "state/trust": 0o750,
    "state/keys": 0o750,
    "state/keys/capture": 0o700,
    "state/keys/sync": 0o700,
    "state/keys/serve": 0o700,
    "state/capture.lock": 0o600,
    "state/sync.lock": 0o660,
    "state/state.lock": 0o660,
    "state/ballast": 0o660,
    "run": 0o2750,
    "run/sync": 0o2750,
}
"""Modes that decide which users may write: a writer can control each process that reads there."""


@pytest.mark.usefixtures("strict_umask")
def test_every_place_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    Layout(tmp_path / "state", tmp_path / "run").make()

    made = {str(path.relative_to(tmp_path)): mode(path) for path in tmp_path.rglob("*")}
    assert made == TABLE


def test_missing_queue_is_made_again_under_the_units(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There systemd's filter refuses each chmod that names set-group-id."""
    layout.queue.rename(layout.aside(1))
    really = Path.chmod

    def filtered(path: Path, bits: int) -> None:
        if bits & (stat.S_ISUID | stat.S_ISGID):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        really(path, bits)

    monkeypatch.setattr(Path, "chmod", filtered)
    before = os.umask(UNITS_UMASK)
    try:
        layout.make()
    finally:
        os.umask(before)

    assert mode(layout.queue) == 0o2770


def test_existing_folder_stays_unchanged(tmp_path: Path) -> None:
    """tmpfiles.d, or an operator, decided."""
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.queue.mkdir(parents=True)
    layout.state.chmod(0o750)
    layout.capture_lock.symlink_to(tmp_path / "elsewhere")
    layout.database.write_bytes(b"rows")
    layout.database.chmod(0o640)
    layout.make()
    layout.make()

    assert mode(layout.state) == 0o750
    assert mode(layout.database) == 0o640
    assert layout.database.read_bytes() == b"rows"
    assert not (tmp_path / "elsewhere").exists()


def test_several_may_make_it_at_once(tmp_path: Path) -> None:
    """Demo: capture and sync start together."""
    for turn in range(20):
        layout = Layout(tmp_path / f"state{turn}", tmp_path / f"run{turn}")
        with ThreadPoolExecutor(8) as pool:
            for made in [pool.submit(layout.make) for _ in range(8)]:
                made.result()

        assert mode(layout.database) == 0o660


def test_place_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageFault, match=r"cannot make .*state"):
        Layout(tmp_path / "file" / "state", tmp_path / "run").make()


def test_the_paths_are_those_of_the_configuration(tmp_path: Path) -> None:
    layout = Layout.of(StateSettings(dir=tmp_path / "a", run_dir=tmp_path / "b"))

    assert layout.record("0b1c") == tmp_path / "a" / "records" / "0b1c.rec"
    assert layout.capture_socket == tmp_path / "b" / "capture.sock"
    assert layout.sync_socket == tmp_path / "b" / "sync" / "sync.sock"


def test_folder_that_had_many_names_is_a_broken_queue(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert layout.corruption() is None
    monkeypatch.setattr("agent.queue.paths.LARGEST_FOLDER_BYTES", 0)

    assert layout.corruption() == f"{layout.queue} had thousands of names"
