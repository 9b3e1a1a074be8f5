"""A device for tests: a folder with its settings, and its commands as real processes.

The simulated board has 640x360 pixels, which are drawn quickly.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from agent.process import control
from agent.queue.database import Database
from agent.queue.paths import Layout
from agent.record import file as recordfile
from agent.record import signing
from tests.support.sealed import NAMES, unpack
from tests.support.waiting import until

REPOSITORY: Final = Path(__file__).parents[2]
READY_WITHIN_S: Final = 60.0

Tables = Mapping[str, Mapping[str, Any]]

SETTINGS: Final[Tables] = {
    "device": {"id": "van-7"},
    "identity": {"mode": "off"},
    "policy": {"manifest": "off", "seal": "required"},
    "state": {"dir": "state", "run_dir": "run", "reserve_mb": 1},
    "backend": {"url": "https://127.0.0.1:9", "receipt_keys": ["receipt-key.pem"]},
    "camera": {"kind": "simulated", "width_px": 640, "height_px": 360},
    "buttons": {"kind": "simulated"},
    "indicator": {"kind": "simulated"},
    "lamp": {"kind": "simulated"},
    "position": {"kind": "simulated"},
    "power": {"kind": "simulated"},
    "clock": {"kind": "simulated"},
    "simulated": {"world": "world.toml"},
}


class Reachable(Protocol):
    """The address and keys of a backend that a device needs."""

    @property
    def base_url(self) -> str: ...

    @property
    def ca_file(self) -> Path: ...

    @property
    def receipt_key_file(self) -> Path: ...


def towards(backend: Reachable, url: str | None = None) -> Mapping[str, Any]:
    """Return the `[backend]` table for a backend, or for a proxy before it."""
    return {
        "url": url or backend.base_url,
        "ca": str(backend.ca_file),
        "receipt_keys": [str(backend.receipt_key_file)],
    }


class Device:
    """A folder with settings and a world script, and the commands of one device over it.

    Args:
        folder: made if need be.
        world: the world script, TOML.
        changes: tables of settings; each is merged into the one of SETTINGS.
    """

    def __init__(self, folder: Path, world: str = "", **changes: Mapping[str, Any]) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.set_world(world)
        key = folder / "receipt-key.pem"
        if not key.exists():
            key.write_bytes(signing.public_pem(signing.new_key().public_key()))
        self.configure(**changes)

    def configure(self, **changes: Mapping[str, Any]) -> None:
        names = [*SETTINGS, *(changes.keys() - SETTINGS.keys())]
        tables = {name: {**SETTINGS.get(name, {}), **changes.get(name, {})} for name in names}
        if tables["identity"]["mode"] == "off":  # else the fleet document names them
            tables["backend"] = {"recipients": NAMES} | tables["backend"]
        self.layout = Layout(*(self.folder / tables["state"][name] for name in ("dir", "run_dir")))
        self.config.write_text(_toml(tables), encoding="utf-8")

    def set_world(self, script: str) -> None:
        (self.folder / "world.toml").write_text(script, encoding="utf-8")

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its output is captured."""
        usual = {"cwd": REPOSITORY, "capture_output": True, "text": True, "timeout": 120}
        return subprocess.run(self.words(*words), check=False, **{**usual, **options})

    def start(self, name: str, *, ready: bool = True) -> subprocess.Popen[bytes]:
        """Start `capture` or `sync`; its log grows in NAME.log. Returns once its socket answers."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(self.words(name), cwd=REPOSITORY, stdout=log, stderr=log)
        self._running[name] = process
        until_s = time.monotonic() + READY_WITHIN_S
        while ready and self.ask(name, {"status": True}) is None:
            if time.monotonic() > until_s or process.poll() is not None:
                raise RuntimeError(f"doorstep {name} did not start:\n{self.log(name)}")
            time.sleep(0.02)
        return process

    def pid(self, name: str) -> int:
        """Return the number of a running process."""
        return self._running[name].pid

    def pids(self) -> list[int]:
        """Return the numbers of all processes that it started and that were not stopped."""
        return [process.pid for process in list(self._running.values())]

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        process = self._running.pop(name)
        process.send_signal(how)
        return process.wait(30)

    def wait(self, name: str) -> int:
        """Wait until it ends by itself; returns its exit code."""
        code = self._running[name].wait(60)
        del self._running[name]
        return code

    def stop_all(self) -> None:
        for name in list(self._running):
            self.stop(name)

    def ask(self, name: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        return control.ask(self.layout.socket(name), dict(request), READY_WITHIN_S)

    def press(self) -> dict[str, Any]:
        """Press the photo button; raises what the capture process cannot do."""
        reply = self.ask("capture", {"press": "photo"})
        assert reply is not None, f"capture does not run:\n{self.log('capture')}"
        return reply

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def lights(self) -> list[str]:
        """Return every signal that the indicator was given, in order."""
        return re.findall(r"event=light signal=(\w+)", self.log("capture"))

    def queue(self) -> list[dict[str, Any]]:
        listed = self.run("queue", "--json", "--limit", "1000")
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def record(self, capture_id: str) -> recordfile.RecordFile:
        return unpack(self.layout.record(capture_id).read_bytes())

    def await_that(self, is_so: Callable[[], bool], within_s: float = 20.0) -> None:
        """Wait until `is_so` returns True; fail with the logs if it never does."""
        until(is_so, within_s, every_s=0.05, told=lambda: self.log("capture") + self.log("sync"))

    def words(self, *words: str) -> list[str]:
        """Return the command line of `doorstep WORDS` for this device."""
        return [sys.executable, "-m", "agent", *words, "--config", str(self.config)]


@contextmanager
def device(folder: Path, world: str = "", **changes: Mapping[str, Any]) -> Iterator[Device]:
    """Make a device, and end its processes with the block."""
    made = Device(folder, world, **changes)
    try:
        yield made
    finally:
        made.stop_all()


def empty_queue(folder: Path) -> None:
    """Make the queue as capture does at its first start, without a record."""
    layout = Layout(folder / "state", folder / "run")
    layout.make()
    with closing(Database(layout, migrates=True)) as database, database.step():
        pass


def _toml(tables: Tables) -> str:
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
