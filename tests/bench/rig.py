"""What the sections share: a folder, one backend, and how often to repeat."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.backend import Backend


@dataclass(frozen=True, slots=True)
class Rig:
    """One run of the benchmark.

    Attributes:
        folder: on the disk that the repository is on; gone when the run ends.
        backend: the reference backend, a process of its own; it asks for certificates.
        is_quick: fewer repetitions, for a look.
        is_full: 1,000 records in each upload, a week's backlog, however long they take.
    """

    folder: Path
    backend: Backend
    is_quick: bool
    is_full: bool = False

    @property
    def warm_presses(self) -> int:
        return 8 if self.is_quick else 24

    @property
    def remembered_presses(self) -> int:
        return 5 if self.is_quick else 50

    @property
    def cold_presses(self) -> int:
        return 2 if self.is_quick else 8

    @property
    def enrolments(self) -> int:
        return 2 if self.is_quick else 7

    @property
    def queued_records(self) -> int:
        return 100 if self.is_quick else 1_000

    @property
    def gaps(self) -> int:
        return 1 if self.is_quick else 4

    @property
    def few_records(self) -> int:
        return 30 if self.is_quick else 200

    @property
    def doors(self) -> int:
        return 2 if self.is_quick else 6

    @property
    def status_runs(self) -> int:
        return 5 if self.is_quick else 20

    @property
    def starts(self) -> int:
        return 3 if self.is_quick else 10

    @property
    def asked(self) -> int:
        return 200 if self.is_quick else 1_000

    @property
    def rounds(self) -> int:
        return 10 if self.is_quick else 60

    @property
    def peak_records(self) -> int:
        """Of each device."""
        return 2 if self.is_quick else 6

    @property
    def kills_s(self) -> float:
        return 12.0 if self.is_quick else 120.0
