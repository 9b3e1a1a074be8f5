"""Sync was taken over and keeps every place at capture's socket; others are still answered."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from agent.errors import DoorstepError
from agent.process import control
from tests.faults.syscalls.scenarios import command
from tests.faults.syscalls.scene import Scene, users_scene
from tests.faults.syscalls.users import as_user, become
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@contextmanager
def alongside(name: str, act: Callable[[], object]) -> Iterator[None]:
    """While the block runs, `act` runs as this user."""

    def become_and_act() -> None:
        become(name)
        act()

    process = get_context("fork").Process(target=become_and_act)  # has imported everything
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def crowd(path: Path) -> None:
    """Keep every place at this socket that can be had, by lines that never end."""
    lines = []
    while True:  # each is closed after ten seconds
        lines.append(socket.socket(socket.AF_UNIX))
        lines[-1].connect(str(path))
        time.sleep(0.01)


def is_full(path: Path) -> bool:
    """Whether sync is told to come again, by sync."""

    def ask() -> int:
        try:
            control.ask(path, {"status": True}, 5)
        except DoorstepError as error:
            return int(error.exit_code)
        return 0

    return as_user("doorstep-sync", ask).code == 75


@pytest.fixture
def scene() -> Iterator[Scene]:
    with users_scene() as one:
        yield one


def test_sync_keeps_nobody_elses_place(scene: Scene) -> None:
    device, path = scene.device, scene.device.layout.capture_socket
    capture = partial(command("capture"), device)
    with alongside("doorstep-capture", capture):
        until(lambda: device.ask("capture", {"status": True}) is not None, 30)
        with alongside("doorstep-sync", partial(crowd, path)):
            until(lambda: is_full(path), 30)

            ended = scene.enrol()
            status = json.loads(device.run("status", "--json").stdout)

    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert "ready" in status["capture"]
