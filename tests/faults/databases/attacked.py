"""A provisioned device with its real users, whose database another process replaces."""

import http.client
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final

from agent.errors import DoorstepError
from agent.queue.paths import Layout
from tests.faults.databases.limits import Limit, limit
from tests.faults.databases.make import make
from tests.faults.syscalls.scenarios import SETTINGS, command
from tests.faults.syscalls.users import GROUP, USERS, open_folder, start, tmpfiles
from tests.support.device import Device
from tests.support.served import ServingDevice, prepared
from tests.support.waiting import until

import_module("_strptime")  # a user may not be able to read this Python

NAMES: Final = ("capture", "sync", "serve")
ATTACKER: Final = "doorstep-sync"
_WITHIN_S: Final = 120.0
_WORKS_S: Final = 30.0
"""Time that sync may work; each of its transactions is given up after 20 s."""

_ENDS: Final = {0, 70, 75, -signal.SIGTERM}
"""Exit codes of a command that did its work, said why not, or was stopped by this rig."""

_ASKED: Final = ("/v1/status", "/v1/captures")


@dataclass(frozen=True, slots=True)
class Came:
    """The result of one hostile database.

    Attributes:
        wrong: what must not be, in words.
        first_press_s: from capture's start to the answer to its first press.
    """

    wrong: list[str]
    first_press_s: float
    is_set_aside: bool


@dataclass
class Attacked:
    """The device; `sound` is its queue before any attack."""

    van: Device
    served: ServingDevice
    limits: dict[str, Limit]
    sound: Path
    running: dict[str, int] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        return self.van.layout

    def attack(self, name: str, seed: int) -> Came:
        """Put one hostile database in the queue's place, and let each process open it."""
        self._replace()
        make(name, seed, self.layout.database)
        for suffix in ("-wal", "-shm", ""):  # else serve does not look
            path = Path(f"{self.layout.database}{suffix}")
            path.touch()
            os.chown(path, USERS[ATTACKER], GROUP)
            path.chmod(0o660)
        wrong = [*self._ask_serve(), *self._run("sync", "--once")]
        self.layout.rebuild_mark.unlink(missing_ok=True)  # else capture would not open it
        before = self.van.log("capture")
        press_s, more = self.first_press()
        wrong += [*more, *self._ask_serve()]
        wrong += self.stop("capture")
        wrong += [f"{one}: out of memory" for one in NAMES if self.limits[one].kills()]
        told = self.van.log("capture").removeprefix(before)
        return Came(wrong, press_s, "event=queue_set_aside" in told)

    def first_press(self, leaves: int = 1) -> tuple[float, list[str]]:
        """Return how long a start and a press take, and what went wrong; capture keeps running."""
        records = set(self.layout.records.iterdir())
        began_s = time.monotonic()
        self.start("capture")
        wrong = []
        try:
            until(self._answers, _WITHIN_S, every_s=0.02)
            self.van.ask("capture", {"press": "photo"})
        except (DoorstepError, AssertionError, TimeoutError) as error:
            wrong.append(f"capture: no green press: {str(error)[:300]}")
        took_s = time.monotonic() - began_s
        if (made := len(set(self.layout.records.iterdir()) - records)) != leaves:
            wrong.append(f"capture: a press left {made} records")
        return took_s, wrong

    def start(self, name: str, *words: str) -> None:
        """Start a process as its unit's user; it begins once its unit's limit applies."""
        device = self.served.device if name == "serve" else self.van
        reading, writing = os.pipe()

        def act() -> int:
            os.read(reading, 1)
            return command(name, *words)(device)

        pid = start(f"doorstep-{name}", act, device.folder / f"{name}.log")
        self.limits[name].bind(pid)
        os.write(writing, b"!")
        os.close(reading)
        os.close(writing)
        self.running[name] = pid

    def start_serve(self) -> None:
        self.start("serve")
        listening = re.compile(r"event=serving listen=127\.0\.0\.1:(\d+)")
        until(lambda: listening.search(self.served.log()) is not None, _WITHIN_S)
        self.served.port = int(listening.findall(self.served.log())[-1])

    def stop_all(self) -> None:
        for name in list(self.running):
            self.stop(name)

    def stop(self, name: str) -> list[str]:
        """End a process, and return what went wrong."""
        with suppress(ProcessLookupError):
            os.kill(self.running[name], signal.SIGTERM)
        return self._ended(name)

    def _run(self, name: str, *words: str) -> list[str]:
        """Let a process work for a while: it reads up to 250,000 forged rows one by one."""
        self.start(name, *words)
        _is_over(self.running[name], _WORKS_S)
        return self.stop(name)

    def _ended(self, name: str) -> list[str]:
        """Wait for a process to end; kill it and report that if it does not end."""
        pid = self.running.pop(name)
        if not _is_over(pid, _WITHIN_S):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return [] if code in _ENDS else [f"{name}: ended with {code}: {self.van.log(name)[-300:]}"]

    def _answers(self) -> bool:
        if _is_over(self.running["capture"]):
            raise TimeoutError("it ended")
        try:
            return self.van.ask("capture", {"status": True}) is not None
        except DoorstepError:
            return False

    def _ask_serve(self) -> list[str]:
        wrong = []
        for target in _ASKED:
            try:
                status = self.served.ask(target).status
            except (OSError, http.client.HTTPException) as error:
                wrong.append(f"serve: {target}: {error!r}")
            else:
                if status not in {200, 503}:
                    wrong.append(f"serve: {target}: {status}")
        return wrong

    def _replace(self) -> None:
        """Put the sound queue back."""
        for path in self.layout.queue.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copyfile(self.sound, self.layout.database)


def _is_over(pid: int, within_s: float = 0.0) -> bool:
    """Return whether a process ends within the time; its exit code can still be read."""
    until_s = time.monotonic() + within_s
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= until_s:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def attacked() -> Iterator[Attacked]:
    """Yield the device with two records and a running serve; end its processes with the block."""
    with ExitStack() as opened:
        folder = opened.enter_context(open_folder())
        limits = {name: opened.enter_context(limit(name)) for name in NAMES}
        state = {"dir": str(folder / "state"), "run_dir": str(folder / "run"), "reserve_mb": 1}
        served = prepared(folder / "served", state=state)
        layout = served.device.layout
        tmpfiles(layout.state, layout.run)
        os.chown(layout.serve_keys / "key.pem", USERS["doorstep-serve"], GROUP)
        os.chown(layout.trust / "serve.pem", USERS["doorstep-capture"], GROUP)
        (layout.trust / "serve.pem").chmod(0o640)
        van = Device(folder / "van", state=state, camera=SETTINGS["camera"])
        made = Attacked(van, served, limits, folder / "sound.db")
        opened.callback(made.stop_all)
        assert made.first_press(leaves=2)[1] == [], van.log("capture")  # it begins a chain, too
        assert made.stop("capture") == []
        shutil.copyfile(layout.database, made.sound)
        made.start_serve()
        yield made
