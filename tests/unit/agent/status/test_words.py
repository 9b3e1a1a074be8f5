"""The status in words, as `doorstep status` prints it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.status.troubles import TROUBLE_TEXTS, Trouble
from agent.status.values import DiskPart
from agent.status.words import lines
from tests.unit.agent.status.scene import Scene

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


def test_words_say_that_a_device_without_network_needs_nobody(scene: Scene) -> None:
    scene.say("sync", **ENDS, hindrance="no_network")
    for minute in range(14):
        scene.add(utc=f"2026-12-01T09:{minute:02}:00.000Z")
    text = TROUBLE_TEXTS[Trouble.NO_NETWORK]

    words = list(lines(scene.status()))

    assert "waiting   14 records, the oldest since 2026-12-01 between 09:00 and 10:00 UTC" in words
    assert f"why       {text.what}; {text.remedy}" in words


def test_words_name_what_needs_a_person(scene: Scene) -> None:
    answer = 'POST was answered 403 "certificate revoked"'
    said = {"state": "paused", "pause": answer, "last_answer": answer, "waits_s": 118.0}
    scene.say("sync", **ENDS, **said, hindrance="not_let_in")
    scene.add(utc="2026-11-30T09:02:00.000Z")
    damaged = scene.damage()
    status = replace(
        scene.status(), device="van-0042", agent="2026.12.0", disk=DiskPart(24_000, 64)
    )

    text = "\n".join(lines(status))

    assert text[: text.index("WRONG")] == "device    van-0042, agent 2026.12.0\n"
    assert (
        text[text.index("waiting") :]
        == f"""\
waiting   1 record, since 2026-11-30 between 09:00 and 10:00 UTC; beside them 1 damaged
why       the backend does not let this device in
ALARM     {damaged} DAMAGED: its file is gone

capture   ready, clock gnss, position ok, no press for ten minutes
sync      paused: {answer}, last contact 2026-12-01 between 09:00 and 10:00 UTC, goes on in 118 s
identity  certificates: TLS until 2027-11-26, evidence until 9999-12-31
fleet     version 12
manifest  version 1795656498, until 2026-12-01 between 20:00 and 21:00 UTC
disk      about 24000 MB free, 64 MB kept in reserve
energy    at least 4 Wh since unplugged, 6 hours or more left, 1.35 W in the last whole shift"""
    )
