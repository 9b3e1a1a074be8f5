"""Senders that start at the same moment: one runs, and each record is sent once."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from agent.__main__ import main
from agent.models import State
from tests.faults.powercut.forked import in_child
from tests.faults.syscalls import scenarios
from tests.faults.syscalls.oracle import states
from tests.faults.syscalls.scenarios import SCENARIOS
from tests.support.backend import Backend, running_backend
from tests.support.device import Device, towards

pytestmark = pytest.mark.slow

SENDERS: Final = 8
ROUNDS: Final = 4
WITHIN_S: Final = 60.0


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


def van_with_photos(folder: Path, backend: Backend) -> Device:
    """A device with three records that wait."""
    work = SCENARIOS["sync"]
    in_child(partial(scenarios.prepare, work, folder, f"van-{uuid4()}"))  # a backend pins its key
    return scenarios.device(work, folder, backend=towards(backend))


def all_at_once(act: Callable[[], int], many: int) -> list[int]:
    """Children that have everything imported, and go at the same moment; their process ids."""
    waiting, go = os.pipe()
    children = []
    for _ in range(many):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(waiting, 1)  # until the other end closes
            silent = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(silent, descriptor)
            code = 99
            try:
                code = act()
            finally:
                os._exit(code)
        children.append(pid)
    os.close(go)
    os.close(waiting)
    return children


def ends(children: list[int], but: int) -> list[int]:
    """Wait until all but so many have ended; their exit codes. Takes them out of the list."""
    codes = []
    until_s = time.monotonic() + WITHIN_S
    while len(children) > but:
        assert time.monotonic() < until_s, f"{len(children)} of the senders still run"
        for pid in list(children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                codes.append(os.waitstatus_to_exitcode(status))
                children.remove(pid)
        time.sleep(0.01)
    return codes


def posts(backend: Backend) -> int:
    return backend.counts().by_method.get("POST /files", 0)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_of_senders_that_start_at_once_one_runs(
    tmp_path: Path, backend: Backend, number: int
) -> None:
    """The others end with 75; the backend counts one upload for each record."""
    van = van_with_photos(tmp_path / str(number), backend)
    before = posts(backend)
    children = all_at_once(partial(main, ["sync", "--config", str(van.config)]), SENDERS)

    try:
        others = ends(children, but=1)
        van.await_that(lambda: set(states(van.layout).values()) == {State.DELIVERED})
    finally:
        for pid in children:
            os.kill(pid, signal.SIGTERM)
    last = ends(children, but=0)

    assert others == [75] * (SENDERS - 1)
    assert last == [0]
    assert posts(backend) - before == len(states(van.layout))


@pytest.mark.parametrize("number", range(ROUNDS))
def test_rounds_that_are_asked_for_at_once_send_each_record_once(
    tmp_path: Path, backend: Backend, number: int
) -> None:
    """`sync --once`, many times at the same moment: each is done, or says try again."""
    van = van_with_photos(tmp_path / str(number), backend)
    before = posts(backend)

    codes = ends(
        all_at_once(partial(main, ["sync", "--once", "--config", str(van.config)]), SENDERS), but=0
    )

    assert set(codes) <= {0, 75}
    assert 0 in codes
    assert set(states(van.layout).values()) == {State.DELIVERED}
    assert posts(backend) - before == len(states(van.layout))
