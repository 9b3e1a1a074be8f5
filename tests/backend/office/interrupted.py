"""A folder of objects, in which something comes in between while records are erased."""

from collections.abc import Callable, Collection
from pathlib import Path

from doorstep_backend.engines.folder import Folder
from doorstep_backend.engines.unavailable import Unavailable


class Interrupted(Folder):
    """Something comes in between once, as soon as a record was erased.

    A bug meets the bad; the lost lie where nobody can read them.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.then: list[Callable[[], object]] = []
        self.bad: list[str] = []
        self.lost: Collection[str] = ()
        self.tried: list[str] = []

    def erase(self, capture_id: str, line: bytes = b"") -> None:
        self.tried.append(capture_id)
        if capture_id in self.bad:
            raise ValueError(capture_id)
        if capture_id in self.lost:
            raise Unavailable(capture_id)
        super().erase(capture_id, line)
        while self.then:
            self.then.pop()()
