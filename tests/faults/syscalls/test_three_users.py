"""Capture, sync and a technician share the state folder, each with its own user."""

import stat
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from itertools import permutations, product
from typing import Any, Final
from uuid import uuid4

import pytest

from agent.models import CaptureId, RecordState
from agent.queue.database import Database
from agent.queue.disk import FILE_MODE, RECORD_MODE
from agent.queue.outbox import Outbox
from tests.faults.syscalls.oracle import states
from tests.faults.syscalls.scenarios import SETTINGS, command
from tests.faults.syscalls.traced import Ended
from tests.faults.syscalls.users import (
    GROUP,
    USERS,
    as_user,
    open_folder,
    readable,
    tmpfiles,
)
from tests.support.backend import Backend, running_backend
from tests.support.device import Device

pytestmark = pytest.mark.slow

COMMANDS: Final = {
    "capture": ("doorstep-capture", ["capture", "--once"]),
    "sync": ("doorstep-sync", ["sync", "--once"]),
    "prune": ("doorstep-capture", ["prune"]),
    "status": ("technician", ["status", "--json"]),
}
"""Which user runs what."""


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


@pytest.fixture
def van(backend: Backend) -> Iterator[Device]:
    """A device as it is provisioned: nothing but what tmpfiles.d makes, on Debian's kernel."""
    tables: dict[str, Any] = {**SETTINGS, "device": {"id": f"van-{uuid4()}"}}
    with open_folder() as folder:
        made = Device(folder / "van", "", backend=readable(folder, backend), **tables)
        tmpfiles(made.layout.state, made.layout.run)
        yield made


def do(van: Device, name: str) -> Ended:
    """Run one command by its own user."""
    user, words = COMMANDS[name]
    return as_user(user, partial(command(*words), van))


def check_shared(van: Device) -> None:
    """The queue's files are the group's to write; records are capture's, for others to read."""
    for path in van.layout.queue.glob("doorstep.db*"):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == FILE_MODE, path
        assert found.st_gid == GROUP, path
    for path in van.layout.records.iterdir():
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (USERS["doorstep-capture"], GROUP)
        assert stat.S_IMODE(found.st_mode) == RECORD_MODE, path


@pytest.mark.parametrize("order", list(permutations(COMMANDS)), ids="-".join)
def test_processes_work_together_whichever_starts_first(
    van: Device, order: tuple[str, ...]
) -> None:
    """Before capture has started the others say try again; afterwards each does its work."""
    first = {name: do(van, name) for name in order}

    began = order.index("capture")
    for place, name in enumerate(order):
        allowed = {0, 75} if name == "status" else {75}
        assert first[name].code in ({0} if place >= began else allowed), first[name].said
    # Capture sees that a receipt came; of what is sent then, prune leaves the newest of the chain.
    for name in ("sync", "capture", "sync", "status", "prune", "capture"):
        ended = do(van, name)
        assert ended.code == 0, (name, ended.said)
    check_shared(van)
    assert set(states(van.layout).values()) == {
        RecordState.PRUNED,
        RecordState.DELIVERED,
        RecordState.PENDING,
    }


def write(van: Device, user: str, *, closes: bool) -> Ended:
    """Write in one transaction of a user, who then closes the queue or dies with its log left."""

    def act() -> int:
        database = Database(van.layout, migrates=user == "doorstep-capture")
        Outbox(database, "boot").reset_schedule(0.0)
        if closes:
            database.close()
        return 0

    return as_user(user, act)


WRITERS: Final = ("doorstep-capture", "doorstep-sync", "technician")


@pytest.mark.parametrize("order", list(permutations(WRITERS)), ids="-".join)
@pytest.mark.parametrize("closes", list(product((True, False), repeat=3)), ids=str)
def test_queue_stays_writable_after_any_user_died_with_it_open(
    van: Device, order: tuple[str, ...], closes: tuple[bool, ...]
) -> None:
    """The others open the log that one user leaves behind, with O_CREAT as SQLite does."""
    assert write(van, "doorstep-capture", closes=True).code == 0

    for user, does_close in zip(order, closes, strict=True):
        ended = write(van, user, closes=does_close)
        assert ended.code == 0, (user, ended.said)
    for user in WRITERS:
        ended = write(van, user, closes=False)
        assert ended.code == 0, (user, ended.said)


def made_again(van: Device) -> set[CaptureId]:
    """Return the records whose rows were lost and made again."""
    with closing(Database(van.layout)) as database:
        rows = Outbox(database, "boot").items(None, 0, 100)
    return {row.capture_id for row in rows if row.adopted}


def corrupt(van: Device) -> None:
    """As a card does that gives other bytes back; nobody has it open."""
    with van.layout.database.open("r+b") as file:
        file.write(b"\xff" * 8192)


@pytest.mark.parametrize("finder", ["sync", "prune", "status", "capture"])
def test_new_queue_serves_every_user_whichever_found_the_old_one_broken(
    van: Device, finder: str
) -> None:
    """Capture makes the queue again for the group, and deletes the old one."""
    for name in ("capture", "capture", "sync"):
        assert do(van, name).code == 0
    before = states(van.layout)
    corrupt(van)

    found = do(van, finder)

    assert "Traceback" not in found.said
    for name in ("capture", "sync", "status", "prune"):
        ended = do(van, name)
        assert ended.code == 0, (name, ended.said)
    check_shared(van)
    after = states(van.layout)
    assert before.keys() <= after.keys()
    assert set(after.values()) <= {RecordState.DELIVERED, RecordState.PRUNED}
    assert before.keys() <= made_again(van)
    assert list(van.layout.quarantined()) == []


def test_only_the_owner_of_the_state_keeps_what_doctor_found(van: Device) -> None:
    """Another user of the group reads the same from doctor, and no result is kept."""
    do(van, "capture")
    kept = van.layout.doctor_file

    looked = as_user("technician", partial(command("doctor"), van))
    was_kept = kept.exists()
    owned = as_user("doorstep-capture", partial(command("doctor"), van))

    assert not was_kept
    assert "Traceback" not in looked.said + owned.said
    found = kept.stat()
    assert (found.st_uid, found.st_gid) == (USERS["doorstep-capture"], GROUP)
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert do(van, "status").code == 0
