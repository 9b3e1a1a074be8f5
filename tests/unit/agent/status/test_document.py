"""The status document: small, without places, codes, or a measure of anybody's pace."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.models import rfc3339
from agent.queue.database import Database
from agent.status import document as status
from agent.status import header, kept, troubles
from agent.status.fitting import fitting
from agent.status.reading import queue_kept
from agent.status.troubles import TROUBLE_TEXTS, Trouble
from agent.status.values import DiskPart, QueueFailed, QueuePart, Status, plain
from agent.status.words import lines
from tests.support.device import REPOSITORY, Device
from tests.support.factory import MOMENT, queue
from tests.unit.agent.status.scene import Scene, suspected

LATE = "9999-12-31T23:59:59.999Z"
LONG_WORDS = (
    'POST was answered 413 "' + "x" * 400 + '"',
    "前置" * 200,
    '"' * 400,
    "\\" * 400,
    "a" * 400,
)


def size_bytes(made: Status) -> int:
    return len(json.dumps(plain(made), allow_nan=False, separators=(",", ":")))


def capture_that_says(words: str) -> dict[str, Any]:
    """All that capture may say, each as long as it can be."""
    flags = dict.fromkeys(("ready", "writable", "simulated", "quiet"), False)
    texts = dict.fromkeys(("position", "fleet_refused", "manifest_refused"), words)
    texts |= dict.fromkeys(("no_credentials", "energy"), words)
    times = dict.fromkeys(("manifest_until", "evidence_until", "serve_until"), LATE)
    numbers: dict[str, float] = dict.fromkeys(("fleet", "manifest"), 2**53)
    numbers |= dict.fromkeys(("used_wh", "hours_left", "mean_w"), 998.123456789)
    return {**flags, **texts, **times, **numbers, "clock": "w" * 10}


def sync_that_says(words: str) -> dict[str, Any]:
    texts = dict.fromkeys(("last_answer", "pause", "identity_trouble"), words)
    times = dict.fromkeys(("last_contact", "tls_until"), LATE)
    words_and_numbers = {"state": "w" * 10, "hindrance": "certificate", "batch_minutes": 2**53}
    return {**texts, **times, **words_and_numbers, "waits_s": 999_998.5}


@pytest.mark.parametrize("words", LONG_WORDS, ids=["quoted", "wide", "quotes", "slashes", "plain"])
def test_the_document_keeps_to_its_size_whatever_all_say_at_once(scene: Scene, words: str) -> None:
    """Also with the longest needs at once, which no device can have."""
    scene.configure(device={"id": "v" * 63}, policy={"manifest": "off"})
    for _ in range(9):
        scene.outbox.mark_damaged(scene.outbox.get(scene.add()), words)
    scene.layout.doctor_file.write_text(json.dumps({"utc": LATE, "failed": ["x" * 13] * 9}))
    kept: dict[str, Any] = dict.fromkeys(("waiting", "suspected", "refused", "damaged"), 2**53)
    kept |= {"oldest_utc": LATE, "as_of": LATE, "oldest_suspect": True, "alarms": [words] * 99}
    scene.said = {"capture": capture_that_says(words), "sync": sync_that_says(words)}

    whole, by_what_was_kept = scene.status(), scene.status(queue_kept(kept))

    possible = [one for one in Trouble if one not in troubles.WAITS_BY_ITSELF]
    needs = tuple(sorted(possible, key=len, reverse=True)[: status.MOST_NEEDS])
    no_disk = DiskPart(None, 1_000_000, words)
    worst = fitting(replace(whole, needs=needs, disk=no_disk, torn=1_000), status.LIMIT_BYTES)
    for one in (whole, by_what_was_kept, worst):
        assert size_bytes(one) <= status.LIMIT_BYTES
    made = plain(whole)
    assert made["queue"]["damaged"] == 9
    assert all(alarm["what"] for alarm in made["queue"]["alarms"])
    assert set(made["capture"]) | {"evidence_until", "serve_until"} == set(capture_that_says(words))
    assert set(made["sync"]) | {"tls_until", "identity_trouble"} == set(sync_that_says(words))
    assert len(header.encoded(whole)) <= header.LIMIT_CHARS


def test_the_document_counts_what_waits_and_nothing_that_was_done(silent: Scene) -> None:
    """A count of delivered records would measure a person's pace."""
    for number in range(20):
        item = silent.outbox.get(silent.add())
        if number < 13:
            silent.outbox.mark_delivered(item, "a receipt", MOMENT)

    made = silent.document()

    assert made["queue"]["waiting"] == 7
    numbers = [value for value in _leaves(made) if isinstance(value, int)]
    assert 13 not in numbers
    assert 20 not in numbers
    own = "v device agent utc needs identity manifest bench_mode sealed"
    assert set(made) == {*f"{own} queue torn disk clock_wrong capture sync doctor".split()}


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    return [value]


def test_an_alarm_says_which_record_what_state_and_why(silent: Scene) -> None:
    name = silent.add()
    suspected(silent.outbox, name, "POST was answered 413")
    silent.damage()

    alarms = {"id": name, "state": "SUSPECT", "what": "POST was answered 413"}
    assert silent.document()["queue"]["alarms"] == [alarms]


def test_bodies_that_are_not_sealed_are_told(silent: Scene) -> None:
    sealed = silent.status()
    silent.configure(policy={"manifest": "off", "seal": "off"})
    unsealed = silent.status()

    assert not any("not for the road" in line for line in lines(sealed))
    assert any("not for the road" in line for line in lines(unsealed))
    assert (sealed.sealed, unsealed.sealed) == (True, False)


def test_the_words_for_a_terminal_say_all_of_it(silent: Scene) -> None:
    silent.configure(policy={"manifest": "off"})
    silent.damage()
    (silent.layout.torn / "x.rec").write_bytes(b"torn")

    words = "\n".join(lines(silent.status()))

    for expected in (
        "capture   not running",
        "sync      not running",
        "waiting   nothing; 1 damaged",
        "1 file in torn/ did not verify",
        "manifest  off",
        "DAMAGED: its file is gone",
    ):
        assert expected in words


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {"manifest": "off"},
            ["manifest  off: no door is known where no photo may be taken"],
        ),
        (
            {"manifest": 7, "manifest_until": "2026-12-01T20:59:00Z"},
            ["manifest  version 7, until 2026-12-01 between 20:00 and 21:00 UTC"],
        ),
        (
            {"manifest": "none", "manifest_refused": "it has ended already"},
            [
                "manifest  none is valid now: presses are refused",
                "manifest  one was refused: it has ended already",
            ],
        ),
    ],
)
def test_the_manifest_in_hand_and_a_refused_one_are_told(
    scene: Scene, told: dict[str, Any], expected: list[str]
) -> None:
    scene.say("capture", **told)

    words = list(lines(scene.status()))

    assert [line for line in words if line.startswith("manifest")] == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {
                "used_wh": 8,
                "hours_left": 1,
                "mean_w": None,
                "energy": "fuel gauge silent",
            },
            ["at least 8 Wh since unplugged, 1 hour left, fuel gauge silent"],
        ),
        ({"used_wh": None, "hours_left": None, "mean_w": None}, []),
        ({"used_wh": -1, "hours_left": True, "mean_w": 10**12}, []),
        ({"used_wh": float("nan"), "hours_left": "many", "mean_w": 1e400}, []),
    ],
)
def test_energy_is_reported_as_far_as_it_can_be_believed(
    scene: Scene, told: dict[str, Any], expected: list[str]
) -> None:
    scene.say("capture", **told)

    words = list(lines(scene.status()))

    assert [line[10:] for line in words if line.startswith("energy")] == expected


def test_energy_is_reported_with_as_many_digits_as_capture_publishes(scene: Scene) -> None:
    """A document has room for no more, and a finer figure would tell of the camera."""
    scene.say("capture", used_wh=8.25, hours_left=2.25, mean_w=1.357913)

    told = scene.status().of_capture

    assert (told.used_wh, told.hours_left, told.mean_w) == (8, 2, 1.36)


def test_process_that_does_not_answer_in_words_is_reported_as_that(scene: Scene) -> None:
    scene.said["sync"] = {"error": "it is stopping", "exit": 75}

    made = scene.status()

    assert plain(made.sync) == {"error": "it is stopping"}
    assert "sync      it is stopping" in list(lines(made))


MEMBERS = (
    *("ready", "writable", "quiet", "streaming", "position", "clock", "simulated", "hindrance"),
    *("manifest_until", "evidence_until", "serve_until", "needs", "utc", "identity"),
    *("fleet", "fleet_refused", "manifest", "manifest_refused", "no_credentials"),
    *("energy", "used_wh", "hours_left", "mean_w"),
    *("state", "last_contact", "last_answer", "pause", "waits_s", "tls_until", "identity_trouble"),
)
STRANGE: list[Any] = [
    [1],
    {"a": {"b": 1}},
    "a",
    "\x1b[2J\x1b]0;x\x07\u009b2J",
    "x" * 1_300,
    10**400,
    -1e300,
    float("inf"),
    float("nan"),
    True,
    None,
]


@pytest.mark.parametrize("strange", STRANGE, ids=lambda strange: f"{strange!r:.20}")
def test_status_has_each_word_of_a_process_about_itself(silent: Scene, strange: Any) -> None:
    """sync may be somebody else's, and who asks is root at a terminal."""
    for said in (dict.fromkeys(MEMBERS, strange), {"error": strange}):
        silent.said = dict.fromkeys(("capture", "sync"), said | {"x" * 5_000: strange})
        made = silent.status()

        assert size_bytes(made) <= status.LIMIT_BYTES
        assert all(line.isprintable() for line in lines(made))


def test_expected_words_of_a_process_are_kept(scene: Scene) -> None:
    capture = {"ready": False, "writable": True, "position": "ok", "quiet": True}
    capture |= {"clock": "gnss", "simulated": False, "fleet": None, "fleet_refused": "old"}
    capture |= {"manifest": "none", "manifest_until": None, "manifest_refused": None}
    capture |= {"no_credentials": "failed: no memory"}
    ends = {"evidence_until": "2027-12-01T09:00:00.000Z", "serve_until": None}
    sync: dict[str, Any] = {"state": "idle", "last_answer": "x", "pause": None, "hindrance": "busy"}
    sync |= {"last_contact": "2026-12-01T09:15:07.412Z", "waits_s": 1.5}
    scene.said = {
        "capture": capture | ends | {"streaming": True},
        "sync": sync | {"tls_until": None, "ready": True},
    }

    made = scene.document()

    assert made["capture"] == capture
    assert made["sync"] == sync | {"last_contact": "2026-12-01T09:00:00.000Z", "waits_s": 2}
    assert made["identity"] == {"mode": "required", "tls_until": None, "trouble": None} | ends


COUNTED = dict.fromkeys(("waiting", "suspected", "refused", "damaged"), 3)
KEPT = {"oldest_utc": "2026-12-01T09:00:00.000Z", "as_of": "2026-12-01T10:00:00.000Z"}
DEEP: Any = "x"
for _ in range(500):
    DEEP = [DEEP]


@pytest.mark.parametrize("member", [*COUNTED, *KEPT, "oldest_suspect", "alarms", "why", "error"])
def test_a_queue_that_was_kept_is_input_too(silent: Scene, member: str) -> None:
    for strange in (*STRANGE, DEEP):
        told = {**COUNTED, **KEPT, "oldest_suspect": False, "alarms": [], member: strange}

        made = silent.status(queue_kept(told))

        assert size_bytes(made) <= status.LIMIT_BYTES
        assert all(line.isprintable() for line in lines(made))
        assert isinstance(made.queue, QueueFailed) or made.queue.alarms == ()


def test_numbers_end_where_nobody_reads_on(silent: Scene) -> None:
    for number in range(1_010):
        (silent.layout.torn / f"{number}.rec").touch()

    made = silent.status(queue_kept({**COUNTED, "refused": 10**12}))

    assert isinstance(made.queue, QueuePart)
    assert (made.torn, made.queue.refused) == (1_000, 999_999)


def test_kept_queue_of_capture_is_reported_with_its_time(silent: Scene) -> None:
    silent.add(utc="2026-12-01T09:15:02.123Z")
    kept.keep_queue(silent.layout, status.queue_part(silent.outbox), MOMENT)

    made = silent.status(kept.read_queue(silent.layout))

    hour = "2026-12-01T09:00:00.000Z"
    assert made.queue == QueuePart(
        1, 0, 0, 0, oldest_utc=hour, as_of=hour, why=Trouble.SYNC_STOPPED
    )
    since = "2026-12-01 between 09:00 and 10:00 UTC"
    words = f"waiting   1 record, since {since}; so it was on {since}"
    assert words in list(lines(made))


def test_content_of_the_queue_does_not_command_the_terminal(silent: Scene) -> None:
    """Every process writes there."""
    for _ in range(2):
        silent.add()
    with closing(Database(silent.layout)) as database, database.step() as sql:
        sql.execute("UPDATE captures SET utc = '\x1b[2J', answer = '\x1b]0;x\x07', suspected = 1")

    words = list(lines(silent.status()))

    assert any("ALARM" in line for line in words)
    assert all(line.isprintable() for line in words)


OUTSIDER = """
import os, sys
from agent.__main__ import main
main(sys.argv[1:])  # loads what may be out of reach afterwards
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(sys.argv[1:]))
"""


def test_user_outside_the_group_reads_so_without_a_traceback(tmp_path: Path) -> None:
    folder = Device(tmp_path / "device")
    queue(folder.folder)[1].close()
    for parent in [folder.folder, *folder.folder.parents]:
        if parent.stat().st_uid == os.geteuid() and parent.is_relative_to(tempfile.gettempdir()):
            parent.chmod(parent.stat().st_mode | 0o755)
    for closed in (folder.layout.state, folder.layout.run):
        closed.chmod(0)

    told = subprocess.run(
        [sys.executable, "-c", OUTSIDER, "status", "--config", str(folder.config)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    for closed in (folder.layout.state, folder.layout.run):
        closed.chmod(0o2770)

    assert told.returncode == 0, told.stderr
    assert "Permission denied" in told.stdout
    again = told.stdout[told.stdout.rindex("device    ") :].splitlines()
    no_access = TROUBLE_TEXTS[Trouble.NO_ACCESS]
    assert [line for line in again if line.startswith(("WRONG", "do "))] == [
        f"WRONG     {no_access.what}",
        f"do        {no_access.where}: {no_access.remedy}",
    ]


@pytest.mark.parametrize(
    ("free_mb", "reserve_mb", "shown"),
    [
        (0, 64, 0),
        (7, 64, 7),
        (63, 64, 63),
        (64, 64, 64),
        (24_319, 64, 24_000),
        (1_029, 1_024, 1_024),
        (1_023, 1_024, 1_000),
        (1_099, 1_090, 1_090),
    ],
)
def test_free_space_has_two_digits_and_is_never_rounded_across_the_reserve(
    free_mb: int, reserve_mb: int, shown: int
) -> None:
    assert status.shown_mb(free_mb, reserve_mb) == shown


def test_a_moment_is_not_in_the_document_but_its_hour(scene: Scene) -> None:
    scene.add(utc="2026-12-01T09:15:02.123Z")
    scene.now = datetime(2026, 12, 1, 10, 20, 30, 400_000, tzinfo=UTC)

    made = scene.document()

    assert made["queue"]["oldest_utc"] == "2026-12-01T09:00:00.000Z"
    assert made["sync"]["last_contact"] == "2026-12-01T09:00:00.000Z"
    assert made["utc"] == "2026-12-01T10:20:00.000Z" != rfc3339(scene.now)
