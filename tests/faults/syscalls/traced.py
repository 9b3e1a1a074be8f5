"""A command in a forked child that has everything imported, with strace at one of its calls.

Starting Python under strace takes a second; forking and attaching takes 7 ms.
"""

import io
import os
import socket
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.faults.syscalls.injections import CHANGING

WITHIN_S: Final = 60.0
"""A command that takes longer hangs: SQLite's own wait for a lock is 10 s."""

BUG: Final = 99
"""Exit code of a child that raised an exception."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a command.

    Attributes:
        code: its exit code; None where it was killed.
        said: what it printed, on both ways.
        trace: what strace saw.
    """

    code: int | None
    said: str
    trace: str


class _Wire(io.TextIOBase):
    """Prints into a socket at once: `sendto`, so that each `write` is one to the disk."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire

    def write(self, text: str) -> int:
        self._wire.sendall(text.encode())
        return len(text)


def run(act: Callable[[], int], trace: Path | None = None, words: Sequence[str] = ()) -> Ended:
    """Run `act` in a child, and with strace at its main thread where `trace` says where to.

    Raises:
        TimeoutError: it hung.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_command(act, theirs)
    theirs.close()
    with ours:
        ours.settimeout(WITHIN_S)
        watching = _attach(pid, trace, words) if trace else None
        ours.sendall(b"go")
        said = _read(ours, pid)
    status = os.waitpid(pid, 0)[1]
    if watching is not None:
        watching.wait(WITHIN_S)
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
    return Ended(code, said, trace.read_text(errors="replace") if trace else "")


def _attach(pid: int, trace: Path, words: Sequence[str]) -> "subprocess.Popen[bytes]":
    command = ["strace", "-y", "-qq", "-s", "8", "-o", str(trace), "-p", str(pid)]
    command += ["-e", f"trace={','.join(CHANGING)}", *words]
    watching = subprocess.Popen(command)
    status = Path(f"/proc/{pid}/status")
    while "TracerPid:\t0\n" in status.read_text():
        if watching.poll() is not None:
            raise RuntimeError("strace could not attach; is ptrace allowed here?")
        time.sleep(0.001)
    return watching


@contextmanager
def attached(pid: int, trace: Path, words: Sequence[str]) -> Iterator[None]:
    """Inject failures into a running process's main thread while the block runs."""
    watching = _attach(pid, trace, words)
    try:
        yield
    finally:
        watching.terminate()
        watching.wait(WITHIN_S)


def _read(wire: socket.socket, pid: int) -> str:
    said = b""
    try:
        while some := wire.recv(65_536):
            said += some
    except TimeoutError:
        os.kill(pid, 9)
        raise TimeoutError(f"not done within {WITHIN_S:g} s; it said {said.decode()}") from None
    except ConnectionResetError:  # killed with something unread
        pass
    return said.decode()


def _be_command(act: Callable[[], int], wire: socket.socket) -> None:
    import sys  # noqa: PLC0415 - only the child touches it

    sys.stdout = sys.stderr = _Wire(wire)
    code = BUG
    try:
        wire.recv(2)
        code = act()
    except BaseException:  # noqa: BLE001 - the parent looks at what was said
        traceback.print_exc()
    os._exit(code)
