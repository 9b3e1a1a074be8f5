"""A release is tried and stays, or the one before comes back, wherever the trial is cut off."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.backend import REPOSITORY
from tests.system.machines.answers import BAD, SHALLOW, nested
from tests.system.machines.trial import PROGRAM, part, program

releases, verdict, processes, commands = (
    *map(part, ("release", "verdict", "processes")),
    program(),
)

WELL = {"lacks": "", "frame": True, "contact": True}


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"lacks": "capture does not answer"}, "capture does not answer, within 120 s"),
        ({"frame": False}, "the camera gave no frame, within 120 s"),
        ({"contact": False}, "sync had no contact with the backend, within 120 s"),
    ],
)
def test_release_goes_back_for_each_thing_that_it_lacks(seen: dict[str, Any], words: str) -> None:
    told = verdict.judge(verdict.Seen(**{**WELL, **seen}), 120.0, 120)

    assert (told.stays, told.words) == (False, words)


def test_verdict_names_all_that_is_missing_at_once() -> None:
    told = verdict.judge(verdict.Seen(), 120.0, 120)

    assert told.words.count(",") == 3, told.words


def test_release_is_watched_to_the_end_also_when_all_is_well() -> None:
    """A release that dies after a minute looks well until then."""
    assert verdict.judge(verdict.Seen(**WELL), 119.9, 120) is None
    assert verdict.judge(verdict.Seen(**WELL), 120.0, 120).stays


def test_process_that_ended_is_judged_at_once() -> None:
    told = verdict.judge(verdict.Seen(**WELL, ended="capture ended"), 1.0, 120)

    assert (told.stays, told.words) == (False, "capture ended")


def test_camera_that_may_not_be_used_is_reported_and_no_fault() -> None:
    """Capture refuses a frame during a route."""
    frame = verdict.framed({"error": "a route is in hand", "exit": 75})

    told = verdict.judge(verdict.Seen(**{**WELL, "frame": frame}), 120.0, 120)

    assert (told.stays, told.words) == (True, "no frame was asked for: a route is in hand")


@pytest.mark.parametrize(
    ("answer", "frame"),
    [
        (None, False),
        ({}, False),
        ({"error": "no frames", "exit": 70}, False),
        ({"verdict": "dark", "sharpness": 1.0}, True),
    ],
)
def test_only_a_frame_counts(answer: dict[str, Any] | None, frame: bool) -> None:
    assert verdict.framed(answer) is frame


@pytest.mark.parametrize(
    ("capture", "words"),
    [
        (None, "capture does not answer"),
        ({"error": "sour\nmilk"}, "capture says: sour milk"),
        ({}, "capture cannot write to the card"),
        ({"writable": "yes"}, "capture cannot write to the card"),
        ({"writable": True, "frames_come": False}, "the camera gives no frames"),
        ({"writable": True, "ready": False, "frames_come": True}, ""),
    ],
)
def test_capture_that_can_write_is_ready_also_without_a_route(
    capture: dict[str, Any] | None, words: str
) -> None:
    assert verdict.lacks(capture) == words


OLD = {"doorstep-capture.service": "old capture", "doorstep-gone.service": "only the old has it"}
NEW = {"doorstep-capture.service": "new capture", "doorstep-more.service": "only the new has it"}


def _device(folder: Path, *, has_units: bool = True) -> Any:
    """A device with an old release in use, and a new one beside it.

    `has_units` says whether the old one keeps its own: one that was installed by hand does not.
    """
    places = releases.Places(folder / "opt", folder / "units", folder / "run")
    for name, units in (("1", OLD), ("2", NEW)):
        kept = places.opt / "releases" / name / "units"
        kept.mkdir(parents=True)
        for unit, text in units.items():
            (kept / unit).write_text(text)
        (kept.parent / ".complete").touch()
    places.run.mkdir()
    places.units.mkdir()
    (places.units / "doorstep-trial.service").write_text("the trial's own")
    (places.units / "ssh.service").write_text("not ours")
    places.current.symlink_to(places.opt / "releases" / "1")
    for unit, text in OLD.items():
        (places.units / unit).write_text(text)
    if not has_units:
        shutil.rmtree(places.opt / "releases/1/units")
    return places


def _runs(places: Any) -> tuple[str, dict[str, str]]:
    """The release that runs, and its units."""
    return places.current.readlink().name, releases.units_in(places.units)


def _new(places: Any) -> Path:
    return Path(places.opt / "releases" / "2")


def test_rollback_restores_the_units(tmp_path: Path) -> None:
    places = _device(tmp_path)
    releases.begin(places, _new(places))
    assert _runs(places) == ("2", NEW)

    releases.go_back(places, "it was to be so")

    assert _runs(places) == ("1", OLD)
    assert not releases.is_under_way(places)
    assert (places.units / "doorstep-trial.service").read_text() == "the trial's own"
    assert (places.units / "ssh.service").read_text() == "not ours"


def test_provisioned_units_stay_when_a_release_has_no_units(
    tmp_path: Path,
) -> None:
    """The state's file system needs its check unit to mount at the next boot."""
    places = _device(tmp_path, has_units=False)
    check = places.units / "doorstep-state-check.service"
    check.write_text("provisioning's own")

    releases.begin(places, _new(places))
    releases.stay(places, "")

    assert check.read_text() == "provisioning's own"
    assert _runs(places) == ("2", NEW)


def test_every_unit_of_this_tree_is_put_in_place() -> None:
    """A unit that a wheelhouse or the program omits would never reach a device."""
    here = {one.name for one in (REPOSITORY / "systemd").glob("doorstep-*")}

    assert releases.units_in(REPOSITORY / "systemd").keys() == here
    assert {Path(one).suffix for one in here} == {".service"}, "see scripts/wheelhouse"


def test_release_without_units_of_its_own_keeps_those_in_use(tmp_path: Path) -> None:
    """Units of a release installed by hand belong to no release."""
    places = _device(tmp_path, has_units=False)

    releases.begin(places, _new(places))
    releases.go_back(places, "it was to be so")

    assert _runs(places) == ("1", OLD)


def test_release_that_stays_is_reported_and_ends_its_trial(tmp_path: Path) -> None:
    places = _device(tmp_path)
    releases.begin(places, _new(places))

    releases.stay(places, "")

    assert _runs(places) == ("2", NEW)
    assert releases.told(places) == {"release": "2", "outcome": "done", "why": ""}
    assert not releases.is_under_way(places)


def test_missing_earlier_release_leaves_the_current_one(tmp_path: Path) -> None:
    """After a deletion by hand a rollback would leave no unit to start."""
    places = _device(tmp_path)
    releases.begin(places, _new(places))
    shutil.rmtree(places.opt / "releases" / "1")

    releases.go_back(places, "it lacked it")

    assert _runs(places) == ("2", NEW)
    assert not releases.is_under_way(places)
    assert releases.told(places)["why"].startswith("it lacked it; it was left running")


def test_rollback_works_when_the_result_cannot_be_written(tmp_path: Path) -> None:
    """On a full card the old release was current while the new one's processes ran on."""
    places = _device(tmp_path)
    releases.begin(places, _new(places))
    places.result.mkdir()

    releases.go_back(places, "it lacked it")

    assert _runs(places) == ("1", OLD)
    assert not releases.is_under_way(places)


def _with_a_third(folder: Path) -> Any:
    places = _device(folder)
    (places.opt / "releases/3/lib").mkdir(parents=True)
    (places.opt / "releases/3/.complete").touch()
    return places


def test_room_is_made_of_releases_that_neither_run_nor_are_wanted(tmp_path: Path) -> None:
    places = _with_a_third(tmp_path)

    commands["main"](["room", str(_new(places))], places)

    assert {one.name for one in (places.opt / "releases").iterdir()} == {"1", "2"}


@pytest.mark.parametrize("name", ["releases/2026.1.0", "releases/3", "2"])
def test_release_that_is_not_whole_is_not_used(tmp_path: Path, name: str) -> None:
    """Units of an incomplete release would start nothing, and no press would be served."""
    places = _with_a_third(tmp_path)
    (places.opt / "releases/3/.complete").unlink()

    with pytest.raises(commands["Refused"], match="deploy it again; there are 1 2 in"):
        commands["main"](["use", str(places.opt / name)], places)

    assert _runs(places)[0] == "1"


def test_no_release_is_deleted_when_none_is_in_use(tmp_path: Path) -> None:
    """A device may go back to any of its releases."""
    places = _with_a_third(tmp_path)
    releases.lead(places.current, places.opt / "releases" / "gone")

    commands["main"](["room", str(_new(places))], places)

    assert {one.name for one in (places.opt / "releases").iterdir()} == {"1", "2", "3"}


def test_no_release_is_deleted_that_a_rollback_may_need(tmp_path: Path) -> None:
    """Two deploys: the second looked at the device before the first one's trial began."""
    places = _with_a_third(tmp_path)
    releases.begin(places, _new(places))

    with pytest.raises(commands["Refused"], match="being tried"):
        commands["main"](["room", str(places.opt / "releases" / "3")], places)

    assert {one.name for one in (places.opt / "releases").iterdir()} == {"1", "2", "3"}


@pytest.mark.slow
def test_release_half_deleted_at_a_power_cut_is_not_whole(tmp_path: Path) -> None:
    """The next deploy would otherwise take the remaining files for the release."""
    places = _with_a_third(tmp_path)
    script = SCRIPT.partition("release.tell")[0] + "release.make_room(places, Path('2'))"
    kill = ["strace", "-f", "-qq", "-o", "/dev/null", "--inject=rmdir,unlinkat:signal=KILL:when=1"]

    ran = [*kill, sys.executable, "-IB", "-c", script, str(PROGRAM), str(tmp_path)]
    ended = subprocess.run(ran, capture_output=True, check=False).returncode

    assert ended == -9
    left = {one.name for one in (places.opt / "releases").iterdir() if (one / ".complete").exists()}
    assert left == {"1", "2"}


STEPS = ["openat", "mkdir", "fchmod", "write", "fsync", "rename", "symlink", "unlink"]
"""The calls by which it changes the disk."""

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import release
folder = Path(sys.argv[2])
places = release.Places(folder / "opt", folder / "units", folder / "run")
release.tell(places, "2", "under way", "")
release.begin(places, places.opt / "releases" / "2")
release.{end}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "from_begin", "has_units"),
    [
        ("stay(places, '')", True, True),
        ("go_back(places, 'it lacked it')", False, True),
        ("go_back(places, 'it lacked it')", True, False),
    ],
)
def test_trial_killed_at_any_call_leaves_one_release_whole(
    tmp_path: Path, end: str, *, from_begin: bool, has_units: bool
) -> None:
    """The next boot leads to one whole release with its own units and no others."""
    begin = 0 if from_begin else len(_calls(tmp_path / "begin", "told(places)", has_units))
    calls = _calls(tmp_path / "whole", end, has_units)[begin:]
    assert len(calls) > 8, "else strace saw nothing"
    ended = set()
    for number, (name, when) in enumerate(calls):
        places = _device(folder := tmp_path / str(number), has_units=has_units)
        _traced(folder, end, f"--inject={name}:signal=KILL:when={when}")
        if places.previous.is_symlink():
            releases.go_back(places, "the power was cut")
        runs, units = _runs(places)
        assert units == {"1": OLD, "2": NEW}[runs], f"killed at {name} {when}"
        assert releases.told(places).get("outcome") == "done" or runs == "1"
        ended.add(runs)

    assert ended == ({"1", "2"} if "stay" in end else {"1"})


def _traced(folder: Path, end: str, *words: str) -> list[str]:
    """Run it under strace; return its calls."""
    trace = folder / "trace"
    tracing = ["strace", "-f", "-y", "-qq", "-s0", f"--trace={','.join(STEPS)}", "-o", str(trace)]
    script = SCRIPT.replace("{end}", end)
    ran = [sys.executable, "-IB", "-c", script, str(PROGRAM), str(folder)]
    ended = subprocess.run([*tracing, *words, *ran], capture_output=True, check=False).returncode
    assert ended == (-9 if words else 0)
    return trace.read_text().splitlines()


def _calls(folder: Path, end: str, has_units: bool) -> list[tuple[str, int]]:
    """The calls that change something in a device's folder: name, and which one of that name."""
    _device(folder, has_units=has_units)
    counts: Counter[str] = Counter()
    found = []
    for line in _traced(folder, end):
        name = line.split()[1].partition("(")[0]
        counts[name] += 1
        if str(folder) in line and (name != "openat" or "O_CREAT" in line):
            found.append((name, counts[name]))
    return found


@contextmanager
def _process(folder: Path, answer: bytes) -> Iterator[str]:
    """Answer every question with these bytes; yield the socket's path."""
    place = str(folder / "capture.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listening.accept()
                    with line, suppress(OSError):
                        line.recv(65_536)
                        line.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield place
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_other_readers_of_the_queue_stop_before_capture_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sync of the earlier release would leave the mark that has the changed queue set aside."""
    tool, calls = tmp_path / "systemctl", tmp_path / "calls"
    tool.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n[ "$1" = show ] && echo enabled\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    processes.restart()

    *_, stopped, started = calls.read_text().splitlines()
    others = "doorstep-sync.service doorstep-serve.service"
    assert stopped == f"stop {others}"
    assert started == f"restart --no-block doorstep-capture.service {others}"


def test_role_stops_readers_of_the_queue_before_capture() -> None:
    role = REPOSITORY / "scripts/provisioning/roles/doorstep_services/tasks/main.yml"
    tasks = yaml.safe_load(role.read_text())
    changed = [one["ansible.builtin.systemd_service"] for one in tasks if "loop" in one]
    loops = [one["loop"] for one in tasks if "loop" in one]

    assert changed[0]["state"] == "stopped"
    assert set(loops[0]) == {*processes.STARTED} - {processes.CAPTURE}
    assert loops[1][0] == processes.CAPTURE


@pytest.mark.parametrize("name", BAD)
def test_bad_answer_counts_as_none_and_the_trial_goes_back(tmp_path: Path, name: str) -> None:
    """An exception would end the trial's program, which then goes back for a wrong reason."""
    with _process(tmp_path, BAD[name].encode() + b"\n") as place:
        capture = processes.ask(place, {"status": True})

    told = verdict.judge(
        verdict.Seen(lacks=verdict.lacks(capture), frame=verdict.framed(capture)), 120.0, 120
    )
    assert not told.stays


@pytest.mark.parametrize("answer", [b"", b"\xff\xfe\x00", b'{"a": ' + b" " * 70_000, b"\x00" * 9])
def test_answer_that_is_not_text_or_endless_counts_as_none(tmp_path: Path, answer: bytes) -> None:
    with _process(tmp_path, answer) as place:
        assert processes.ask(place, {"status": True}) is None


def test_words_at_any_depth_are_written_on_one_line() -> None:
    for depth in SHALLOW:
        with suppress(RecursionError):
            error = {"error": json.loads(nested(depth)), "exit": 75}

            assert verdict.lacks(error) == "capture says: (no words)"
            assert verdict.framed(error) == "no frame was asked for: (no words)"


@pytest.mark.parametrize("kept", ["[]", "17", '{"release": ["2"], "why": {}}', "[" * 60_000])
def test_rollback_works_with_a_corrupt_result(tmp_path: Path, kept: str) -> None:
    places = _device(tmp_path)
    releases.begin(places, _new(places))
    places.result.write_text(kept)

    releases.go_back(places, "it lacked it")

    assert _runs(places) == ("1", OLD)
    assert releases.told(places)["release"] == "a release"
