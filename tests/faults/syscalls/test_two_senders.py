"""Senders that start at the same moment: one runs, and each record is sent once."""

import os
import sys
from collections.abc import Iterator
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from agent.__main__ import main
from agent.models import RecordState
from tests.faults.powercut.forked import in_child
from tests.faults.syscalls import scenarios
from tests.faults.syscalls.oracle import states
from tests.faults.syscalls.scenarios import SCENARIOS
from tests.support.backend import Backend, running_backend
from tests.support.device import towards
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SENDERS: Final = 8
ROUNDS: Final = 4
WITHIN_S: Final = 60.0


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


def send(start: Barrier, words: list[str]) -> None:
    """Run the command in this process, at the same moment as the others."""
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silent, descriptor)
    start.wait(WITHIN_S)
    sys.exit(main(words))


def posts(backend: Backend) -> int:
    return backend.counts().by_method.get("POST /files", 0)


@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.parametrize("words", [["sync"], ["sync", "--once"]], ids=" ".join)
def test_senders_that_start_at_once_send_each_record_once(
    tmp_path: Path, backend: Backend, words: list[str], number: int
) -> None:
    """Only a single `sync` runs on, the others end with 75; a `sync --once` ends with 0 or 75."""
    work, context, before = SCENARIOS["sync"], get_context("fork"), posts(backend)
    # A backend pins a device's key, so that each device has a name of its own.
    in_child(partial(scenarios.prepare, work, tmp_path, f"van-{number}-{uuid4()}"))
    van = scenarios.device(work, tmp_path, backend=towards(backend))
    start = context.Barrier(SENDERS)
    senders = [
        context.Process(target=send, args=(start, [*words, "--config", str(van.config)]))
        for _ in range(SENDERS)
    ]
    for one in senders:
        one.start()

    try:
        stays = words == ["sync"]
        until(lambda: sum(one.is_alive() for one in senders) <= stays, WITHIN_S, every_s=0.01)
        van.await_that(lambda: set(states(van.layout).values()) == {RecordState.DELIVERED})
    finally:
        for one in senders:
            one.terminate()
            one.join(WITHIN_S)

    codes = [one.exitcode for one in senders]
    assert set(codes) <= {0, 75}, codes
    assert codes.count(0) == 1 if stays else 0 in codes
    assert posts(backend) - before == len(states(van.layout))
