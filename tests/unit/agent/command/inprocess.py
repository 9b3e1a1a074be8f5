"""Runs a command in this process, and reads what it prints and what doctor finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from agent.__main__ import main
from agent.command import doctor
from agent.command.doctor.finding import Level
from agent.process import control
from tests.support.device import Device
from tests.support.factory import MOMENT, RecordMaker, add, queue


@dataclass(frozen=True)
class Ended:
    """The exit code of a command, and its output."""

    code: int
    out: str = ""
    err: str = ""


@dataclass
class Terminal:
    """A device whose commands run in this process, and what they print."""

    device: Device
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> Ended:
        return Ended(run(self.device, *words), *self.capsys.readouterr())


def run(device: Device, *words: str) -> int:
    return main([*words, "--config", str(device.config)])


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def filled(device: Device, count: int = 5) -> list[str]:
    _, database, outbox = queue(device.folder)
    maker = RecordMaker()
    ids = [add(outbox, maker.make()).label.capture_id for _ in range(count)]
    outbox.mark_refused(outbox.get(ids[1]), "a refusal", MOMENT, "unknown_key")
    outbox.mark_damaged(outbox.get(ids[2]), "its file is gone")
    outbox.schedule_retry(outbox.get(ids[3]), 1e9, "POST was answered 413", suspected=True)
    database.close()
    return list(ids)


def found(device: Device, check: str, *, looks: bool = False) -> list[tuple[Level, str]]:
    """Return level and words of each finding of one of doctor's checks."""
    findings = doctor.examine(device.config, looks=looks)
    return [(one.level, one.words) for one in findings if one.check == check]


@contextmanager
def capture_says(device: Device, **answer: object) -> Iterator[None]:
    """Answer in place of capture while the block runs."""
    device.layout.make()
    with control.serve(device.layout.capture_socket, lambda *_: dict(answer)):
        yield
