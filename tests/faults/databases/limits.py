"""The memory that a unit may take, held by a cgroup of either version, else by the process."""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from tests.support.device import REPOSITORY

_MB: Final = 2**20

_SHARED_MB: Final = {"capture": 114, "sync": 52, "serve": 30}
"""Memory of each before it opens the queue: it shares that with the process that forked it, and the
kernel counts it there. Source: measurements on x86-64."""

_LEAST_MB: Final = 426
"""Memory that a board with 512 MB leaves to the system."""

_BOTH: Final = Path("/sys/fs/cgroup")


def most_bytes(name: str, memory_mb: int = _LEAST_MB) -> int:
    """Return the unit's MemoryMax on a board with so much memory."""
    text = (REPOSITORY / f"systemd/doorstep-{name}.service").read_text(encoding="utf-8")
    found = re.search(r"^MemoryMax=(\d+)(M|%)$", text, re.MULTILINE)
    assert found, name
    return int(found[1]) * (_MB if found[2] == "M" else memory_mb * _MB // 100)


@dataclass(frozen=True, slots=True)
class Limit:
    """The memory limit of one process beyond what it shares; the group is None without cgroups."""

    bytes: int
    group: Path | None

    def bind(self, pid: int) -> None:
        """Put another process under this limit."""
        if self.group is None:
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0])
            most = pages * resource.getpagesize() + self.bytes
            resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
        else:
            (self.group / "cgroup.procs").write_text(str(pid))

    def kills(self) -> int:
        """Return how many processes of the group the kernel has killed for lack of memory."""
        if self.group is None:
            return 0
        old = self.group / "memory.oom_control"
        told = (old if old.exists() else self.group / "memory.events").read_text()
        return int(re.findall(r"^oom_kill (\d+)", told, re.MULTILINE)[0])


@contextmanager
def limit(name: str) -> Iterator[Limit]:
    """Make the group of one process, and remove it when its processes have ended."""
    most = most_bytes(name) - _SHARED_MB[name] * _MB
    parent, file = _hierarchy()
    if parent is None:
        yield Limit(most, None)
        return
    group = parent / f"doorstep-hostile-{name}-{uuid4().hex[:8]}"
    group.mkdir()
    try:
        (group / file).write_text(str(most))
        yield Limit(most, group)
    finally:
        group.rmdir()


def _hierarchy() -> tuple[Path | None, str]:
    if (_BOTH / "memory/memory.limit_in_bytes").exists():
        return _BOTH / "memory", "memory.limit_in_bytes"
    controls = _BOTH / "cgroup.subtree_control"
    if controls.exists() and "memory" in controls.read_text().split():
        return _BOTH, "memory.max"
    return None, ""
