"""What the sections share: a folder, one backend, and how often to repeat."""

from dataclasses import dataclass
from pathlib import Path

from tests.backend.process import Backend


@dataclass(frozen=True, slots=True)
class Rig:
    """One run of the benchmark.

    Attributes:
        folder: on the disk that the repository is on; gone when the run ends.
        backend: the reference backend, a process of its own.
        is_quick: fewer repetitions, for a look.
    """

    folder: Path
    backend: Backend
    is_quick: bool

    @property
    def warm_presses(self) -> int:
        return 8 if self.is_quick else 24

    @property
    def cold_presses(self) -> int:
        return 3 if self.is_quick else 8
