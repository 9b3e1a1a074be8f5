"""Runs a scenario on a logged disk, cuts the power at many points, and restarts the product."""

import gc
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2  # noqa: TID251 - only its threads are put out: they do not survive a fork

from tests.device import REPOSITORY
from tests.powercut import disk
from tests.powercut.checker import check, look
from tests.powercut.forked import ChildFailed, Forked, in_child
from tests.powercut.scenarios import SCENARIOS, Scenario
from tests.powercut.stage import Stage, Told, Version
from tests.powercut.variants import Variant
from tests.powercut.writelog import Cut, Entry, disks, plan, reached, read_log

MEMORY_DISK: Final = Path("/dev/shm")
"""Images lie in memory: they are written thousands of times."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One run of a scenario: the disk before, all that was written, all that was promised."""

    base: bytes
    entries: list[Entry]
    told: Told

    @property
    def first(self) -> int:
        """How many entries there were when the scenario began."""
        return reached(self.entries, self.told.begun)

    def flushes_per_photo(self) -> float:
        """Flushes of the disk from a press to its light."""
        flushes = [
            sum(entry.flushes for entry in self.entries if begun < entry.end <= shown)
            for begun, shown in self.told.presses
        ]
        return sum(flushes) / len(flushes)


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that one state broke."""

    cut: Cut
    what: str


@contextmanager
def room() -> Iterator[Path]:
    """A folder in memory for images, gone with the block."""
    cv2.setNumThreads(0)
    gc.freeze()  # a child's collector would copy every page of its parent's
    logging.disable(logging.CRITICAL)
    with TemporaryDirectory(dir=MEMORY_DISK, prefix="powercut-") as folder:
        yield Path(folder)


def record(folder: Path, scenario: Scenario, variant: Variant | None = None) -> Recording:
    """Run a scenario once, in a child that may change the product."""
    image, log, at = folder / "disk.img", folder / "disk.log", folder / "disk"
    log.unlink(missing_ok=True)
    disk.make(image)
    told = Told()
    if scenario.prepare is not None:
        with disk.mounted(image, at):
            told = in_child(lambda: _prepare(Stage(folder / "device", at), scenario))
    base = image.read_bytes()
    with disk.logged(image, log, at):
        told = in_child(lambda: _act(Stage(folder / "device", at, log), scenario, told, variant))
    return Recording(base, read_log(log.read_bytes()), told)


def _prepare(stage: Stage, scenario: Scenario) -> Told:
    """End as a process does that is killed: with its database open."""
    assert scenario.prepare is not None
    scenario.prepare(stage, stage.leave_open())
    found = look(stage.layout)
    return Told(versions=[Version(0, 0, found.rows, found.floor)], lost=stage.told.lost)


def _act(stage: Stage, scenario: Scenario, before: Told, variant: Variant | None) -> Told:
    stage.told = before
    stage.told.begun = stage.now()
    if variant is not None:
        variant.change()
    with stage.watched():
        scenario.act(stage)
    return stage.told


def try_states(
    folder: Path, recording: Recording, cuts: Sequence[Cut], processes: int = 0
) -> list[Violation]:
    """Restart on each of the disks; the first `processes` of them as real processes.

    All processors work, each at its own slice.
    """
    workers = os.cpu_count() or 1
    every = max(1, len(cuts) // processes) if processes else 0
    slow = {cut for number, cut in enumerate(cuts) if every and number % every == 0}
    at_work = [
        Forked(
            lambda n=n: _try_slice(folder / f"worker-{n}", recording, cuts[n::workers], slow),
            within_s=0,
        )
        for n in range(workers)
    ]
    return [violation for worker in at_work for violation in worker.result()]


def _try_slice(
    folder: Path, recording: Recording, cuts: Sequence[Cut], slow: set[Cut]
) -> list[Violation]:
    folder.mkdir()
    violations = []
    for cut, content in zip(cuts, disks(recording.base, recording.entries, cuts), strict=True):
        for what in try_one(folder, recording, cut, content, slow=cut in slow):
            violations.append(Violation(cut, what))
    shutil.rmtree(folder)
    return violations


def first_violation(folder: Path, recording: Recording, cuts: Sequence[Cut]) -> tuple[int, str]:
    """Try states until one breaks a promise: how many were tried, and which; else an empty text."""
    folder.mkdir(exist_ok=True)
    tried = 0
    for cut, content in zip(cuts, disks(recording.base, recording.entries, cuts), strict=True):
        tried += 1
        if broken := try_one(folder, recording, cut, content, slow=False):
            return tried, broken[0]
    return tried, ""


def try_one(
    folder: Path, recording: Recording, cut: Cut, content: bytes | bytearray, *, slow: bool
) -> list[str]:
    """Mount one disk and check what a restart makes of it; `slow` restarts with real processes."""
    image, at = folder / "disk.img", folder / "disk"
    image.write_bytes(content)
    log_bytes = recording.entries[cut.entries - 1].end
    with disk.mounted(image, at):
        try:
            made = _restart_for_real(folder, at) if slow else frozenset()
            stage = Stage(folder / "device", at)
            return in_child(lambda: check(stage, recording.told, log_bytes, made))
        except ChildFailed as error:
            return [f"the restart failed: {error}"]


def _restart_for_real(folder: Path, at: Path) -> frozenset[str]:
    raise NotImplementedError
