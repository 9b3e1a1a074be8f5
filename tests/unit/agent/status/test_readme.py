"""The room's README shows what a device says, and lists every trouble in the words of the list."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.status.troubles import TOLD, WAITS_BY_ITSELF, Trouble
from agent.status.values import Disk
from agent.status.words import lines
from tests.support.device import REPOSITORY
from tests.unit.agent.status.scene import Scene

README = (REPOSITORY / "agent" / "status" / "README.md").read_text()
NOW = datetime(2026, 12, 1, 11, 20, tzinfo=UTC)
UNTIL = {"manifest_until": "2026-12-01T20:00:00.000Z", "evidence_until": "9999-12-31T23:59:59Z"}
ENDS = {"tls_until": "2027-11-26T05:40:01.000Z"}


def table() -> str:
    rows = ["| name | what it means | who does what |", "| --- | --- | --- |"]
    for trouble in Trouble:
        told = TOLD[trouble]
        does = told.remedy if trouble in WAITS_BY_ITSELF else f"{told.where}: {told.remedy}"
        rows.append(f"| `{trouble}` | {told.what} | {does} |")
    return "\n".join(rows)


def test_the_table_of_troubles_is_the_list() -> None:
    assert table() in README, f"put this there:\n\n{table()}"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path, now=NOW)
    made.say("capture", **UNTIL, quiet=True)
    made.say("sync", **ENDS)
    yield made
    made.close()


def shown(scene: Scene) -> str:
    """As `doorstep status` prints it; what differs from machine to machine is replaced."""
    status = replace(scene.status(), device="van-0042", agent="2026.12.0", disk=Disk(24_000, 64))
    return "\n".join(["```", *lines(status), "```"])


def test_a_device_that_is_well(scene: Scene) -> None:
    assert shown(scene) in README, shown(scene)


def test_a_device_that_goes_on_by_itself(scene: Scene) -> None:
    words = {"last_answer": "no answer: Name or service not known", "state": "waiting"}
    scene.say("sync", **ENDS, **words, hindrance="no_network", waits_s=212.4)
    for minute in range(14):
        scene.add(utc=f"2026-12-01T09:{minute:02}:00.000Z")

    assert shown(scene) in README, shown(scene)


def test_a_device_that_needs_a_person(scene: Scene) -> None:
    answer = 'POST was answered 403 "certificate revoked"'
    said = {"state": "paused", "pause": answer, "last_answer": answer, "waits_s": 118.0}
    scene.say("sync", **ENDS, **said, hindrance="not_let_in")
    scene.add(utc="2026-11-30T09:02:00.000Z")
    damaged = scene.damage()

    told = shown(scene).replace(damaged, "0b0c1f5e-6a0e-4a53-9d0b-6a1c6b9a2f11")

    assert told in README, told
