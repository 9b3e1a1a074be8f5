"""A device of release 2026.11.2, updated: what was the group's has its one owner then."""

import os
import shutil
import stat
from collections.abc import Iterator

import pytest

from agent.queue.opening import parts
from agent.queue.paths import Layout
from tests.backend.process import Backend, running_backend
from tests.failing.users import GROUP, USERS, tmpfiles
from tests.walls.means import a_record
from tests.walls.test_tricks import check_goes_on, check_kept
from tests.walls.van import REFUSED, Van, end, provisioned

pytestmark = pytest.mark.slow

OWNER = USERS["doorstep-capture"]


@pytest.fixture
def van(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Van]:
    if os.geteuid() != 0:
        pytest.fail("this changes users: run it as root")
    with running_backend(tmp_path_factory.mktemp("backend")) as backend, aged(backend) as made:
        yield made


class aged:  # noqa: N801 - reads as a word in a with
    """A van whose state folder is as 2026.11.2 had it: the group's, with the queue in its midst."""

    def __init__(self, backend: Backend) -> None:
        self._made = provisioned(backend)

    def __enter__(self) -> Van:
        van = self._made.__enter__()
        van.stop_capture()
        _age(van.layout)
        return van

    def __exit__(self, *raised: object) -> None:
        self._made.__exit__(None, None, None)


def _age(layout: Layout) -> None:
    for part in parts(layout.database):
        if part.exists():
            part.rename(layout.state / part.name)
    for key in layout.capture_keys.iterdir():
        key.rename(layout.keys / key.name)
    for folder in (layout.queue, layout.trust, layout.run):
        shutil.rmtree(folder)
    for folder in (layout.capture_keys, layout.sync_keys, layout.serve_keys):
        folder.rmdir()
    for path, owner, mode in (
        *((folder, 0, 0o2770) for folder in (layout.state, layout.records, layout.torn)),
        *((record, OWNER, 0o660) for record in layout.records.iterdir()),
        *((file, 0, 0o660) for file in (layout.sync_lock, layout.state_lock, layout.ballast)),
        (layout.capture_lock, 0, 0o660),
        (layout.keys, OWNER, 0o700),
    ):
        os.chown(path, owner, GROUP)
        path.chmod(mode)


def test_after_tmpfiles_and_the_first_start_all_is_moved_and_each_place_has_its_owner(
    van: Van,
) -> None:
    """`systemd-tmpfiles --create`, which each boot does too, and capture's first start."""
    tmpfiles(van.layout.state, van.layout.run)

    check_kept(van)

    layout = van.layout
    wanted = dict((*layout.folders(), *layout.files()))
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in wanted} == wanted
    for record in layout.records.iterdir():
        assert stat.S_IMODE(record.stat().st_mode) == 0o644
    how, attacker = van.attack("doorstep-sync", lambda at: a_record(at).write_bytes(b""))
    end(attacker)
    assert how == REFUSED
    check_goes_on(van)


def test_before_tmpfiles_it_works_on_and_doctor_says_what_is_missing(van: Van) -> None:
    """Moved as well, but nothing keeps the processes apart: the next boot does."""
    layout = van.layout
    layout.run.mkdir()
    os.chown(layout.run, 0, GROUP)
    layout.run.chmod(0o2770)

    check_kept(van)

    told = van.do("doorstep-capture", "doctor").said
    assert f"{layout.state}: belongs to user 0; `chown {OWNER} {layout.state}`" in told
    assert "`systemd-tmpfiles --create` as root does it" in told
