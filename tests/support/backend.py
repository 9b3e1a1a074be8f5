"""The backend as a real process, with or without faults, for tests and benchmarks."""

import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import requests  # noqa: TID251 - the test's own side of the wire, not the device's

from doorstep_backend.seals import Seals
from doorstep_backend.serving import FINISH_S
from tests.support.sealed import IDENTITY_FILE, NAMES

REPOSITORY: Final = Path(__file__).parents[2]
"""Folder in which `python -m doorstep_backend` is found."""

READY_WITHIN_S: Final = 60.0
"""Longest start that is waited for. Source: 0.7 s on a laptop, with room for a loaded CI."""

STOP_WITHIN_S: Final = FINISH_S + 10.0
"""Longest end that is waited for: requests under way, with room for a loaded CI."""

CONTROL_TIMEOUT_S: Final = 10.0
"""Longest wait for an answer to a switch or a count."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts of what devices did since the backend's process started.

    Attributes:
        handshakes: TLS connections made.
        body_bytes: of requests, as they arrived.
        by_method: requests by method and first part of the path, as in `POST /files`.
        est_requests: those for certificates; they are not among `requests`.
    """

    requests: int
    handshakes: int
    body_bytes: int
    by_method: Mapping[str, int]
    est_requests: int


class Backend:
    """A backend process over one folder; it can be killed and started again in place.

    Attributes:
        base_url: stays the same across restarts.
        ca_file: PEM of the CA that a device must trust.
        receipt_key_file: PEM of the public key that signs receipts and refusals.
        fleet_key_file: PEM of the public key that signs the fleet document; another one once
            the fleet key was changed.
        data: its folder, with `received/`, `refused/`, `photos/` and `records/`.
    """

    base_url: str
    ca_file: Path
    receipt_key_file: Path
    fleet_key_file: Path

    faulty_module = "tests.support.faulty"
    """The program of a backend with switches."""

    def __init__(
        self,
        data: Path,
        *,
        switches: bool,
        show_simulated: bool = False,
        demo_accounts: bool = False,
        identity: bool = False,
        port: int = 0,
        names: Sequence[str] = (),
        objects: str | None = None,
        behind_proxy: bool = False,
    ) -> None:
        self.data = data
        self._objects = [] if objects is None else ["--objects", objects]
        self._has_switches = switches
        options = {
            "--show-simulated": show_simulated,
            "--demo-accounts": demo_accounts,
            "--without-identity": not identity,
            "--behind-proxy": behind_proxy,
        }
        self._options = [name for name, wanted in options.items() if wanted]
        self._options += [word for name in names for word in ("--name", name)]
        self._port = port  # 0: whichever is free, and the same after a restart

    def start(self) -> Self:
        """Start the process and return once it answers. Raises RuntimeError if it does not."""
        module = self.faulty_module if self._has_switches else "doorstep_backend"
        command = [sys.executable, "-m", module, "--data", str(self.data)]
        command += ["--port", str(self._port), *self._options, *self._objects]
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._has_switches:  # it is a test's: its devices seal to identities of tests
            Seals(self.data).use_given_identities(IDENTITY_FILE, NAMES)
        with (self.data / "backend.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._read_ready_line()
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait until it is gone. Harmless if it has ended already.

        SIGTERM lets it finish the requests that are under way.

        Raises:
            subprocess.TimeoutExpired: it had to be killed.
        """
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_WITHIN_S)
        finally:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def kill(self) -> None:
        """End the process as a power cut of the server would: `kill -9`."""
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the process and start it again on the same port; the counts begin at zero."""
        self.stop()
        self.start()

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int:
        """Id of the process that runs now."""
        return self._process.pid

    def received_file(self, capture_id: str) -> Path:
        """Return the path of an accepted record's bytes, once it has its receipt."""
        return self.data / "received" / f"{capture_id}.rec"

    def set_switches(self, **switches: Any) -> None:
        """Replace all switches (`Switches` in tests/support/faulty/); without any, it is healthy.

        `forget=True` at once loses every upload and its receipt. Raises for unknown names.
        """
        self._ask("PUT", "/switches", switches)

    def counts(self) -> Counted:
        return Counted(**self._ask("GET", "/counts", None))

    def command(self, *words: str) -> str:
        """Run an office command, such as `devices add van-7`, and return its output.

        Raises:
            ValueError: it did not do it; says why.
        """
        ended = run_to_end(self.data, *words)
        if ended.returncode != 0:
            raise ValueError(f"{' '.join(words)}: {ended.stderr}")
        return ended.stdout

    def log(self) -> str:
        """Return all that it logged, since its first start."""
        return (self.data / "backend.log").read_text()

    def unready(self) -> str:
        """Return why no record can be taken in, as /readyz says it; empty where one can."""
        url = f"{self.base_url}/readyz"
        answer = requests.get(url, verify=str(self.ca_file), timeout=30)
        return "" if answer.ok else answer.text

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.ca_file)
            url = self.base_url + path
            answer = session.request(method, url, json=body, timeout=CONTROL_TIMEOUT_S)
        if answer.status_code != 200:
            raise ValueError(f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _read_ready_line(self) -> None:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], READY_WITHIN_S)
        line = self._process.stdout.readline() if readable else ""
        if not line.startswith("ready "):
            self.kill()
            end = self.log()[-2000:]
            raise RuntimeError(f"the reference backend did not start; its log ends:\n{end}")
        said = dict(word.split("=", 1) for word in shlex.split(line)[1:])
        self.base_url = said["url"]
        self.ca_file, self.receipt_key_file = Path(said["ca"]), Path(said["receipt_key"])
        self.fleet_key_file = Path(said["fleet_key"])
        self._port = int(self.base_url.rpartition(":")[2])


def run_to_end(data: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of the backend, or a start that fails, over a folder; give it this input."""
    return subprocess.run(
        [sys.executable, "-m", "doorstep_backend", "--data", str(data), *words],
        input=given,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def running_backend(
    data: Path,
    *,
    switches: bool = True,
    show_simulated: bool = False,
    identity: bool = False,
    objects: str | None = None,
) -> Iterator[Backend]:
    """Run a backend over `data`; kill it in the end, whatever it does then.

    Orders and routes are made beside it: `open_office(Store(data))` (office.py).
    """
    backend = Backend(
        data, switches=switches, show_simulated=show_simulated, identity=identity, objects=objects
    ).start()
    try:
        yield backend
    finally:
        backend.kill()
