"""The README of the package shows what a device says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.status.troubles import TROUBLE_TEXTS, Trouble
from agent.status.values import DiskPart
from agent.status.words import lines
from tests.support.device import REPOSITORY
from tests.unit.agent.status.scene import Scene

README = (REPOSITORY / "agent" / "status" / "README.md").read_text()
NOW = datetime(2026, 12, 1, 11, 20, tzinfo=UTC)
UNTIL = {"manifest_until": "2026-12-01T20:00:00.000Z", "evidence_until": "9999-12-31T23:59:59Z"}
ENDS = {"tls_until": "2027-11-26T05:40:01.000Z"}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path, now=NOW)
    made.say("capture", **UNTIL, quiet=True)
    made.say("sync", **ENDS)
    yield made
    made.close()


def shown(scene: Scene) -> str:
    """As `doorstep status` prints it; what differs from machine to machine is replaced."""
    status = replace(
        scene.status(), device="van-0042", agent="2026.12.0", disk=DiskPart(24_000, 64)
    )
    return "\n".join(["```", *lines(status), "```"])


def test_words_say_that_a_device_without_network_needs_nobody(scene: Scene) -> None:
    scene.say("sync", **ENDS, hindrance="no_network")
    for minute in range(14):
        scene.add(utc=f"2026-12-01T09:{minute:02}:00.000Z")
    text = TROUBLE_TEXTS[Trouble.NO_NETWORK]

    words = list(lines(scene.status()))

    assert "waiting   14 records, the oldest since 2026-12-01 between 09:00 and 10:00 UTC" in words
    assert f"why       {text.what}; {text.remedy}" in words


def test_a_device_that_needs_a_person(scene: Scene) -> None:
    answer = 'POST was answered 403 "certificate revoked"'
    said = {"state": "paused", "pause": answer, "last_answer": answer, "waits_s": 118.0}
    scene.say("sync", **ENDS, **said, hindrance="not_let_in")
    scene.add(utc="2026-11-30T09:02:00.000Z")
    damaged = scene.damage()

    text = shown(scene).replace(damaged, "0b0c1f5e-6a0e-4a53-9d0b-6a1c6b9a2f11")

    assert text in README, text
