"""A provisioned device, its processes as their own users, and somebody among them who attacks."""

import errno
import os
import signal
import sqlite3  # noqa: TID251 - what an attacker uses tells of its refusal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from uuid import uuid4

from agent.errors import DoorstepError, NotNow
from agent.models import RecordState
from agent.queue.paths import Layout
from tests.faults.syscalls.oracle import states
from tests.faults.syscalls.scenarios import SETTINGS, command
from tests.faults.syscalls.traced import Ended
from tests.faults.syscalls.users import as_user, open_folder, readable, start, tmpfiles
from tests.support.backend import Backend
from tests.support.device import Device
from tests.support.waiting import until

ONE_PRESS_S: Final = 0.7
"""Presses within 0.6 s count as one."""

SENT: Final = frozenset({RecordState.DELIVERED, RecordState.PRUNED})

Attack = Callable[[Layout], object]
"""An act in a process of the attacker's, which holds all that it gets until it is ended."""

REFUSED: Final = b"refused"
DONE: Final = b"done"


@dataclass
class AttackedDevice:
    """The device; `content` is what every record was before the attack."""

    device: Device
    content: dict[str, bytes] = field(default_factory=dict)
    key: bytes = b""
    children: dict[str, int] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """Where its things lie."""
        return self.device.layout

    def start_capture(self) -> None:
        """As systemd does it, also when it has ended by itself."""
        self.stop_capture()
        act = partial(command("capture"), self.device)
        log = self.device.folder / "capture.log"
        self.children["capture"] = start("doorstep-capture", act, log)
        self.device.await_that(self.answers, within_s=60.0)

    def stop_capture(self) -> None:
        if pid := self.children.pop("capture", 0):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, 60.0, every_s=0.05)

    def answers(self) -> bool:
        try:
            return self.device.ask("capture", {"status": True}) is not None
        except DoorstepError:
            return False

    def press(self) -> str | None:
        """Press the button, on a capture that systemd starts again where it has ended.

        Where it ends before the press has left its record, no light was seen: pressed again.
        Why it was red; None of a green one.
        """
        before = set(self.layout.records.iterdir())
        while True:
            time.sleep(ONE_PRESS_S)
            try:
                if self.device.ask("capture", {"press": "photo"}) is not None:
                    return None
            except NotNow as error:
                if set(self.layout.records.iterdir()) - before:
                    return str(error)
            except DoorstepError as error:
                return str(error)
            self.start_capture()

    def do(self, user: str, *words: str) -> Ended:
        return as_user(user, partial(command(*words), self.device))

    def states(self) -> dict[str, RecordState]:
        """Every row's state, as the queue says it now; nothing where it cannot."""
        with suppress(DoorstepError):
            return {str(one): state for one, state in states(self.layout).items()}
        return {}

    def remember(self) -> None:
        """Keep every record as it is now, and the key."""
        self.content = {path.stem: path.read_bytes() for path in self.layout.records.glob("*.rec")}
        self.key = (self.layout.capture_keys / "device.pem").read_bytes()

    def attack(self, user: str, act: Attack, *, read_only: bool = False) -> tuple[bytes, int]:
        """Return the attack's result, and the process that still holds all that it has got."""
        folders = [self.layout.state, self.layout.run] if read_only else []
        reading, writing = os.pipe()
        doing = partial(_attack, act, self.layout, writing)
        pid = start(user, doing, self.device.folder / "attack.log", read_only=folders)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            return told.read(), pid


def _attack(act: Attack, layout: Layout, writing: int) -> int:
    kept: list[object] = []
    try:
        kept.append(act(layout))
        os.write(writing, DONE)
    except (OSError, sqlite3.Error) as error:
        if not _is_refused(error):
            raise
        os.write(writing, REFUSED)
    os.close(writing)
    while True:  # until it is killed, with all that it holds
        signal.pause()


def _is_refused(error: OSError | sqlite3.Error) -> bool:
    """Return True if the kernel refuses the attack, by the owners or by the mount."""
    if isinstance(error, OSError):
        return error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY


def end(pid: int) -> None:
    """End a process of ours, whatever it is doing."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@contextmanager
def provisioned(backend: Backend) -> Iterator[AttackedDevice]:
    """Nothing but what tmpfiles.d makes, on Debian's kernel; capture runs, two records are sent."""
    tables: dict[str, Mapping[str, Any]] = {
        "camera": SETTINGS["camera"],
        "device": {"id": f"van-{uuid4()}"},
    }
    with open_folder() as folder:
        device = Device(folder / "van", "", backend=readable(folder, backend), **tables)
        tmpfiles(device.layout.state, device.layout.run)
        van = AttackedDevice(device)
        try:
            van.start_capture()
            van.press()
            assert van.do("doorstep-sync", "sync", "--once").code == 0
            van.press()
            van.press()
            van.remember()
            yield van
        finally:
            van.stop_capture()
