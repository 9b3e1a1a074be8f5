"""How much of a processor processes have used, by what the kernel says of them."""

import os
from pathlib import Path

from tests.support.backend import Backend


def tree_s(pid: int) -> float:
    """User and system, of a process, its children, and those of them that have ended.

    Source: proc(5), /proc/pid/stat, fields 14 to 17.
    """
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return _s(pid, ended=True) + sum(_s(int(child), ended=False) for child in children)


def _s(pid: int, *, ended: bool) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # a child that has ended since: its parent is told
        return 0.0
    return sum(map(int, fields[11 : 15 if ended else 13])) / os.sysconf("SC_CLK_TCK")


class Instance:
    """One of the backend's processes, and what all that were started in its place have used.

    What a start uses is not counted: it has nothing to do with records.
    """

    def __init__(self, name: str, backend: Backend) -> None:
        self.name = name
        self.backend = backend
        self._ended_s = 0.0
        self._started_s: float | None = None

    def start(self) -> None:
        self.backend.start()
        self._started_s = tree_s(self.backend.pid)

    def kill(self) -> None:
        """As a power cut would; what it used between the look and its end is lost."""
        self._ended_s, self._started_s = self.used_s, None
        self.backend.kill()

    def end(self) -> None:
        """For good; harmless where it is killed."""
        if self._started_s is not None:
            self.kill()

    @property
    def used_s(self) -> float:
        if self._started_s is None:
            return self._ended_s
        return self._ended_s + tree_s(self.backend.pid) - self._started_s
