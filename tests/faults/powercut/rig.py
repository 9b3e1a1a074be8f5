"""Runs a scenario on a logged disk, cuts the power at many points, and restarts the product."""

import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import cv2  # noqa: TID251 - only its threads are put out: they do not survive a fork

from tests.faults.powercut import disk
from tests.faults.powercut.alone import mount_unseen, nothing_left
from tests.faults.powercut.checker import look
from tests.faults.powercut.forked import WITHIN_S, in_child, spread, within
from tests.faults.powercut.promise_log import PromiseLog, Version
from tests.faults.powercut.scenario import Check, Prepare, Scenario, pictures
from tests.faults.powercut.stage import Stage, has_time
from tests.faults.powercut.variants import Variant
from tests.faults.powercut.writelog import Cut, Entry, disks, reached, read_log

_RAISED: Final = "the restart failed"


@dataclass(frozen=True, slots=True)
class Recording:
    """A run of a scenario.

    Attributes:
        base: the disk before.
        entries: all that was written.
        promises: all that was promised.
        check: says what of it a cut has broken.
        at: where the disk was mounted; there it is again after a cut.
    """

    base: bytes
    entries: list[Entry]
    promises: PromiseLog
    check: Check
    at: Path

    @property
    def first(self) -> int:
        """The number of entries when the scenario began."""
        return reached(self.entries, self.promises.begun)

    def flushes_per_photo(self) -> float:
        """Flushes of the disk from a press to its light; the few that SQLite's log adds are not."""
        return median(
            sum(entry.flushes for entry in self.entries if begun < entry.end <= shown)
            for begun, shown in self.promises.presses
        )


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that one state broke."""

    cut: Cut
    what: str


@contextmanager
def room(inside: Path) -> Iterator[Path]:
    """A folder for images, gone with the block; it is quiet there, and one thread works."""
    cv2.setNumThreads(0)
    logging.disable(logging.CRITICAL)
    with (
        TemporaryDirectory(dir=inside, prefix="powercut-") as folder,
        nothing_left(Path(folder)),
    ):
        with Stage(Path(folder, "warm"), Path(folder)).open() as device:
            device.press()  # what is imported late or drawn once, is so for all children
        pictures()
        yield Path(folder)


class Rig:
    """Records scenarios in one folder; what they start from is made once for `beside` too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before: dict[Prepare | None, tuple[bytes, PromiseLog]] = {}

    def beside(self, number: int) -> "Rig":
        """Another one, for another process."""
        rig = Rig(self.folder / f"rig-{number}")
        rig.folder.mkdir()
        rig._before = self._before
        return rig

    def record(self, scenario: Scenario, variant: Variant | None = None) -> Recording:
        """Run a scenario once, in a child that may change the product."""
        base, before = self._prepared(scenario)
        image, log, at = (self.folder / name for name in ("disk.img", "disk.log", "disk"))
        image.write_bytes(base)
        log.unlink(missing_ok=True)
        with disk.logged(image, log, at):
            promises = in_child(
                lambda: _act(Stage(self.folder, at, log), scenario, before, variant)
            )
        return Recording(base, read_log(log.read_bytes()), promises, scenario.check, at)

    def _prepared(self, scenario: Scenario) -> tuple[bytes, PromiseLog]:
        if scenario.prepare not in self._before:
            image, at, promises = self.folder / "base.img", self.folder / "base", PromiseLog()
            disk.make(image)
            if scenario.prepare is not None:
                with disk.mounted(image, at):
                    promises = in_child(lambda: _prepare(Stage(self.folder, at), scenario))
            self._before[scenario.prepare] = image.read_bytes(), promises
        return self._before[scenario.prepare]


def _act(
    stage: Stage, scenario: Scenario, before: PromiseLog, variant: Variant | None
) -> PromiseLog:
    stage.promises = before
    stage.promises.begun = stage.now()
    if variant is not None:
        variant.change()
    with stage.watched():
        scenario.act(stage)
    return stage.promises


def _prepare(stage: Stage, scenario: Scenario) -> PromiseLog:
    """End as a process does that is killed: with its database open."""
    assert scenario.prepare is not None
    scenario.prepare(stage, stage.leave_open())
    if not stage.promises.versions:  # else the scenario promises rows that `look` cannot read yet
        found, kept = look(stage.layout), has_time(stage.layout)
        stage.promises.versions.append(Version(0, 0, found.rows, has_time=kept))
    return PromiseLog(versions=stage.promises.versions, lost=stage.promises.lost)


def try_states(
    folder: Path, recording: Recording, cuts: Sequence[Cut], processes: int = 0
) -> list[Violation]:
    """Restart on each of the disks, `processes` of them with the real commands.

    Every processor works at its own slice.
    """
    step = len(cuts) / processes if processes else 0.0
    real = {cuts[int(number * step)] for number in range(processes)}

    def some(number: int, slice_: Sequence[Cut]) -> list[Violation]:
        mount_unseen()
        return list(_violations(folder / f"{number}", recording, slice_, real))

    return spread(some, cuts)


def catch(folder: Path, recording: Recording, cuts: Sequence[Cut]) -> Violation | None:
    """The first violation that is seen; a restart that raises may be a fault of the rig's own."""
    found = _violations(folder / "catch", recording, cuts, set())
    return next((one for one in found if not one.what.startswith(_RAISED)), None)


def _violations(
    folder: Path, recording: Recording, cuts: Sequence[Cut], real: set[Cut]
) -> Iterator[Violation]:
    folder.mkdir(exist_ok=True)
    image = folder / "disk.img"
    image.touch()
    stage = Stage(folder, recording.at)
    for cut, pieces in zip(cuts, disks(recording.base, recording.entries, cuts), strict=True):
        with image.open("r+b") as file:
            for offset, content in pieces:
                file.seek(offset)
                file.write(content)
        broken = _broken(stage, recording, cut, image, is_real=cut in real)
        yield from (Violation(cut, what) for what in broken)


def _broken(
    stage: Stage, recording: Recording, cut: Cut, image: Path, *, is_real: bool
) -> list[str]:
    """The promises that a restart on the image finds broken; whatever it raises is one too.

    A disk that cannot be mounted is the rig's own fault, and ends it.
    """
    log_bytes = recording.entries[cut.entries - 1].end
    with disk.mounted(image, stage.disk):
        try:
            with within(WITHIN_S):
                return recording.check(stage, recording.promises, log_bytes, is_real)
        except Exception:  # noqa: BLE001 - as the docstring says
            return [f"{_RAISED}: {traceback.format_exc()}"]
