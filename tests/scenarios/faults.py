"""The table of faults for technicians, and what a scenario must bring to be compared with it.

To add a fault, add its row to scripts/provisioning/faults.md and a scenario of the same name, which
must see everything that the row has in backquotes. A fault of real parts also gets a `Fault` in
`tests/system/qemu/faults_parts.py`.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from agent.errors import DoorstepError
from tests.support.backend import Backend
from tests.support.device import REPOSITORY, Device, device, towards
from tests.support.factory import small_disk

PAGE: Final = REPOSITORY / "scripts/provisioning/faults.md"
COLUMNS: Final = ["fault", "log event", "light", "state of the record"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row; a scenario must see all that is in backticks.

    Attributes:
        log: each of these is found in the log, or in what the command said.
        light: the signal that the driver is left with; empty where the light does not change.
        states: kind or reason of the record, then its states in order; empty without a record.
    """

    fault: str
    log: list[str]
    light: list[str]
    states: list[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """The outcome of a fault, as `Row` has it; `log` is the whole log."""

    log: str
    light: list[str]
    states: list[str]


Scenario = Callable[[Path, Backend], Seen]

SCENARIOS: Final[dict[str, Scenario]] = {}


def fault(name: str) -> Callable[[Scenario], Scenario]:
    """The scenario of the row with this name."""

    def register(scenario: Scenario) -> Scenario:
        assert name not in SCENARIOS, f"two scenarios for {name!r}"
        SCENARIOS[name] = scenario
        return scenario

    return register


def table() -> dict[str, Row]:
    """The rows of the page by their fault."""
    text = PAGE.read_text(encoding="utf-8")
    lines = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    head, _, *rows = lines
    assert head == COLUMNS
    found = {}
    for cells in rows:
        assert len(cells) == len(COLUMNS), cells
        assert cells[0] not in found, f"two rows for {cells[0]!r}"
        found[cells[0]] = Row(cells[0], *(_codes(cell) for cell in cells[1:]))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# What scenarios share

CRADLE: Final = "[[at]]\nsecond = 0\nexternal = true\n"

ONE_PRESS_S: Final = 0.7
"""Presses that follow within 600 ms count as one."""


def known_to(backend: Backend, url: str | None = None) -> dict[str, Any]:
    """Return tables of a device that the backend has not seen; `url` is a proxy's before it."""
    return {"device": {"id": f"van-{uuid4()}"}, "backend": towards(backend, url)}


@contextmanager
def on_small_card(
    folder: Path, reserve_mb: int = 1, **tables: Any
) -> Iterator[tuple[Device, Path]]:
    """Yield a device whose state is on a real file system of 16 MB, with its capture process."""
    folder.mkdir(exist_ok=True)
    with small_disk(folder) as card:
        state = {"dir": str(card / "state"), "reserve_mb": reserve_mb}
        with device(folder / "van", state=state, **tables) as made:
            made.start("capture")
            yield made, card


def press(device: Device) -> dict[str, Any]:
    """Press far enough after the press before, so that it counts as another one."""
    time.sleep(ONE_PRESS_S)
    return device.press()


def press_in_vain(device: Device) -> str:
    """Press where no record can be written, and return the error message."""
    with pytest.raises(DoorstepError) as told:
        press(device)
    assert told.value.exit_code == 70
    return str(told.value)


def seen(device: Device, reply: dict[str, Any]) -> Seen:
    """Return what a press came to: its reason or else its kind, and the state of its record."""
    what = reply["record"].get("reason", reply["label"]["kind"])
    light = light_of_press(device)
    return Seen(device.log("capture"), light, [what, state_of(device, reply)])


def light_of_press(device: Device) -> list[str]:
    """Return the light after the last press; only while the idle light has not come back."""
    lights = device.lights()
    last = max(place for place, name in enumerate(lights) if name == "hold_still")
    return [name for name in lights[last:] if name not in {"hold_still", "exposed"}][:1]


def rows_of(device: Device, reply: dict[str, Any]) -> list[dict[str, Any]]:
    """The row of a press; an empty list where it has none."""
    capture_id = reply["label"]["capture_id"]
    return [row for row in device.queue() if row["capture_id"] == capture_id]


def state_of(device: Device, reply: dict[str, Any]) -> str:
    """The state of a press's record now."""
    (row,) = rows_of(device, reply)
    return str(row["state"])


def check_nothing_lost(device: Device, replies: list[dict[str, Any]]) -> None:
    """Every press that was answered has its row, and its file verifies and carries it."""
    for reply in replies:
        assert len(rows_of(device, reply)) == 1
        assert device.record(reply["label"]["capture_id"]).label.payload() == reply["label"]


def check_delivered(device: Device, backend: Backend) -> None:
    """Check that each record marked as delivered is at the backend, byte for byte."""
    for row in device.queue():
        received = backend.received_file(row["capture_id"])
        if row["state"] == "DELIVERED":
            assert hashlib.sha256(received.read_bytes()).hexdigest() == row["sha256"]
            assert row["decided_utc"]


def check_chain(device: Device) -> None:
    """Check that all records on the card verify together."""
    verified = device.run("verify", str(device.layout.records))
    assert verified.returncode == 0, verified.stdout
