"""The doctor: every finding in words, and an exit code that says whether to call somebody."""

import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest

from agent.command import doctor
from agent.command.doctor import device_check, permissions
from agent.command.doctor.finding import Finding, Level
from agent.models import RecordKind
from agent.process import control
from agent.queue.disk import lock
from agent.queue.paths import Layout
from agent.trust.store import TrustStore
from hardware.errors import DeviceBusy
from tests.support.device import Device, empty_queue, towards
from tests.support.factory import RecordMaker, add, owned_by_a_user, queue
from tests.support.fleet_documents import FleetOffice, identity
from tests.support.rawserver import raw_server
from tests.unit.agent.command.inprocess import capture_says, found, printed, run


def words(device: Device, check: str) -> str:
    return "\n".join(words for _, words in found(device, check))


def levels(device: Device, check: str) -> list[Level]:
    return [level for level, _ in found(device, check)]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        ([Level.OK, Level.NOTE], 0),
        ([Level.OK, Level.LATER], 75),
        ([Level.FAILED], 70),
        ([Level.LATER, Level.FAILED, Level.OK], 70),
    ],
)
def test_the_exit_code_is_that_of_the_worst_finding(found: list[Level], code: int) -> None:
    assert doctor.exit_code(Finding("x", level, "") for level in found) == code


def test_a_device_that_never_ran_has_no_fault_but_a_backend_out_of_reach(device: Device) -> None:
    found = {one.check: one.level for one in doctor.examine(device.config)}

    assert found["backend"] is Level.LATER
    assert Level.FAILED not in found.values()
    assert found["sealing"] is Level.OK
    assert "camera" not in found, "it looks at no test card without being asked"
    assert not device.layout.state.exists(), "looking at a device changes nothing on it"
    assert not device.layout.run.exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policy": {"manifest": "on"}}, "policy.manifest"),
        ({"simulated": {"world": "no-world.toml"}}, "no-world.toml"),
    ],
)
def test_a_wrong_configuration_is_the_only_finding(
    tmp_path: Path, changes: dict[str, dict[str, object]], expected: str
) -> None:
    (finding,) = doctor.examine(Device(tmp_path, "", **changes).config)

    assert finding.level is Level.FAILED
    assert expected in finding.words


# What photos carry


def test_doctor_says_whether_photos_are_sealed(device: Device) -> None:
    assert words(device, "sealing") == "to 2 recipients, each opens alone"

    device.configure(policy={"seal": "off"})
    assert "not for the road" in words(device, "sealing")


def test_photos_of_before_sealing_are_counted(device: Device) -> None:
    device.layout.make()
    maker = RecordMaker()
    for made in (maker.make(), maker.make(), maker.make(RecordKind.NO_PHOTO)):
        made.into(device.layout.records)

    ((level, said),) = found(device, "sealing")
    assert (level, "; 2 photos of before are readable" in said) == (Level.NOTE, True)


def test_a_fleet_without_recipients_is_a_fault_and_one_without_a_document_its_own(
    tmp_path: Path,
) -> None:
    office = FleetOffice()
    device = Device(tmp_path, "", **identity(tmp_path, office))
    device.layout.make()

    ((before, _),) = found(device, "sealing")
    assert words(device, "fleet").endswith("presses are refused; `doorstep enrol` fetches it")
    TrustStore(device.layout).keep_fleet((office.document(1, recipients=[]),))
    ((after, said),) = found(device, "sealing")

    assert (before, after) == (Level.NOTE, Level.FAILED)
    assert "`fleet publish`" in said


@pytest.fixture
def signing_device(tmp_path: Path) -> Device:
    """A device whose photos carry Content Credentials."""
    policy = {"manifest": "off", "credentials": "on"}
    return Device(tmp_path, "", **identity(tmp_path, FleetOffice()), policy=policy)


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (None, "ok on: photos carry a C2PA manifest"),
        ("no evidence certificate yet", "FAILED .*: no evidence certificate yet; see `identity`"),
        ("outside its validity", "FAILED .*: outside its validity; look at the clock"),
        ("failed: no memory", "FAILED .*: failed: no memory; tell the office, and quote this"),
    ],
)
def test_a_photo_without_credentials_is_a_failure_with_its_reason(
    signing_device: Device, missing: str | None, expected: str
) -> None:
    with capture_says(signing_device, no_credentials=missing):
        ((level, said),) = found(signing_device, "credentials")

    assert re.match(expected, f"{level} {said}")


def test_credentials_without_their_library_are_a_failure(
    signing_device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)

    expected = "photos are kept without: c2pa cannot be loaded"
    assert words(signing_device, "credentials").startswith(expected)


def test_credentials_that_are_off_are_a_note(device: Device) -> None:
    ((level, said),) = found(device, "credentials")

    assert (level, said.startswith("switched off: ")) == (Level.NOTE, True)


# The backend


def test_an_unreadable_ca_is_a_finding_like_any_other(tmp_path: Path) -> None:
    ((level, said),) = found(Device(tmp_path, backend={"ca": "no-ca.pem"}), "backend")

    assert level is Level.FAILED
    assert "backend.ca" in said


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Level.OK),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Level.LATER),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Level.LATER),
        (b"nonsense\r\n\r\n", Level.LATER),
    ],
)
def test_the_backend_is_asked_for_a_record_that_it_cannot_have(
    tmp_path: Path, answer: bytes, level: Level
) -> None:
    with raw_server(tmp_path) as server:
        server.script = lambda _request: [answer]
        device = Device(tmp_path / "device", backend=towards(server))

        assert levels(device, "backend") == [level]

    assert server.requests[0].method == "HEAD"


# The card and the queue


def test_alarms_of_the_queue_and_torn_files_are_findings(device: Device) -> None:
    layout, database, outbox = queue(device.folder)
    made = add(outbox, RecordMaker().make())
    outbox.mark_damaged(outbox.get(made.label.capture_id), "its file is gone")
    (layout.torn / "x.rec").write_bytes(b"torn")
    database.close()

    assert Level.FAILED in levels(device, "queue")
    assert "1 damaged" in words(device, "queue")
    assert "1 files in" in words(device, "torn files")


def test_the_oldest_tells_why_it_waits(device: Device) -> None:
    _, database, outbox = queue(device.folder)
    add(outbox, RecordMaker().make())
    item = outbox.claim(0.0, due_s=600.0)
    assert item is not None
    outbox.schedule_retry(item, 600.0, "the receipt is signed by a key that is not trusted")
    database.close()

    assert "tried once; last answer: the receipt is signed" in words(device, "queue")


def test_too_little_room_is_a_failure(tmp_path: Path) -> None:
    device = Device(tmp_path, state={"reserve_mb": 1_000_000})
    empty_queue(tmp_path)

    (level, said), *_ = found(device, "disk")

    assert (level, "presses are refused" in said) == (Level.FAILED, True)


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        ("", 0o2770),
        ("queue", 0o3770),
        ("records", 0o400),
        ("keys/capture", 0o750),
        ("capture.lock", 0o660),
        ("queue/doorstep.db", 0o600),
    ],
)
def test_another_mode_than_the_tables_is_a_failure_with_its_remedy(place: str, mode: int) -> None:
    """The file lets others do too much, or a user too little."""
    with owned_by_a_user() as folder:
        layout = Layout(folder / "state", folder / "run")
        layout.make()
        before = list(permissions.wrong(layout))
        path = layout.state / place
        right = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode)
        found = list(permissions.wrong(layout))
        path.chmod(0o700)

    assert before == []
    assert any(
        words.startswith(f"{path}: has mode {mode:o}; `chmod {right:o} {path}`") for words in found
    )


@pytest.mark.parametrize("closed", ["keys/capture/device.pem", "queue/doorstep.db-shm"])
def test_path_closed_to_its_owner_is_a_failure_with_its_remedy(closed: str) -> None:
    with owned_by_a_user() as folder:
        layout = Layout(folder / "state", folder / "run")
        layout.make()
        for name in ("keys/capture/device.pem", "queue/doorstep.db-wal", "queue/doorstep.db-shm"):
            (layout.state / name).touch(0o600)
        before = list(permissions.wrong(layout))
        path = layout.state / closed
        path.chmod(0)
        (found,) = permissions.wrong(layout)
        path.chmod(0o700)

    assert before == []
    assert f"chmod u+rw {path}" in found


@pytest.mark.slow
def test_a_place_of_another_owner_or_a_link_in_it_is_a_failure(
    layout: Layout, tmp_path: Path
) -> None:
    os.chown(layout.records, 54_321, -1)
    layout.torn.rmdir()
    layout.torn.symlink_to(tmp_path)

    found = list(permissions.wrong(layout))

    assert [words.split(": ")[1].split(";")[0] for words in found] == [
        "belongs to user 54321",
        "a link, which nobody of Doorstep makes",
    ]


# The devices: capture is asked where it runs, instead of opening them


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"ready": True, "writable": True, "position": "ok"}, {"devices": Level.OK}),
        ({"ready": False, "writable": True, "position": "ok"}, {"devices": Level.OK}),
        ({"ready": False, "writable": False}, {"devices": Level.FAILED}),
        ({"error": "it is stopping", "exit": 75}, {"devices": Level.FAILED}),
        ({"position": "ok", "has_fix": True}, {"position": Level.OK}),
        ({"position": "ok", "has_fix": False}, {"position": Level.NOTE}),
        ({"position": "gpsd: refused", "has_fix": False}, {"position": Level.FAILED}),
        ({"position": "ok", "has_fix": "perhaps"}, {"position": None}),
        ({"position": "ok"}, {"position": None}),
        ({"frames_come": True, "battery_pct": 83}, {"camera": None, "battery": Level.OK}),
        (
            {"frames_come": False, "battery_pct": None},
            {"camera": Level.FAILED, "battery": Level.NOTE},
        ),
        (
            {"frames_come": "perhaps", "battery_pct": "much"},
            {"camera": None, "battery": Level.NOTE},
        ),
        ({}, {"camera": None, "battery": Level.NOTE, "energy": None}),
        ({"energy": "ok", "watts": 1.31}, {"energy": Level.OK}),
        ({"energy": "ok", "watts": "much"}, {"energy": None}),
        ({"energy": "fuel gauge silent"}, {"energy": Level.FAILED}),
    ],
    ids=str,
)
def test_doctor_repeats_what_a_running_capture_says_of_its_devices(
    tmp_path: Path, answer: dict[str, object], expected: dict[str, Level | None]
) -> None:
    device = Device(tmp_path, camera={"kind": "v4l2", "device": 63})

    with capture_says(device, **answer):
        found = {one.check: one.level for one in doctor.examine(device.config)}

    assert {check: found.get(check) for check in expected} == expected


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        ({}, {"battery": Level.NOTE, "energy": None}),
        (
            {"gauge": True, "current_sensor": "ina226"},
            {"battery": Level.FAILED, "energy": Level.FAILED},
        ),
    ],
)
def test_a_silent_gauge_or_sensor_is_a_failure_if_it_is_built_in(
    tmp_path: Path, power: dict[str, object], expected: dict[str, Level | None]
) -> None:
    device = Device(tmp_path, power={"kind": "sysfs", "sysfs": str(tmp_path), **power})

    found = {one.check: one.level for one in doctor.examine(device.config)}

    assert {check: found.get(check) for check in expected} == expected


def test_a_missing_camera_is_a_failure_that_names_the_setting(tmp_path: Path) -> None:
    device = Device(tmp_path, camera={"kind": "v4l2", "device": 63})

    ((level, said),) = found(device, "devices")
    assert level is Level.FAILED
    assert "camera.device" in said


@pytest.mark.parametrize(
    ("motion", "expected"),
    [
        ({"kind": "none"}, None),
        ({"kind": "simulated"}, Level.OK),
        ({"kind": "iio", "sysfs": "nothing"}, Level.FAILED),
    ],
)
def test_a_sensor_of_motion_that_does_not_answer_is_a_failure(
    tmp_path: Path, motion: dict[str, str], expected: Level | None
) -> None:
    """Only where one is configured; the other devices open all the same."""
    device = Device(tmp_path, motion=motion)

    found = {one.check: one.level for one in doctor.examine(device.config)}

    assert (found["devices"], found.get("motion")) == (Level.OK, expected)


@pytest.mark.slow
def test_a_capture_that_is_starting_has_the_devices_to_itself(device: Device) -> None:
    """Doctor would have opened them before it, and its start ended with "GPIO busy"."""
    device.layout.make()

    with lock(device.layout.capture_lock, exclusive=True, wait=False):
        said = words(device, "devices")

    assert said.startswith("capture is starting, and does not answer yet: run this again")
    assert words(device, "devices") == "all open; capture does not run"


def test_pins_that_are_taken_are_captures_where_it_cannot_start(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process shows its red light so long, without a lock, which may be on the broken disk."""

    def taken(*_: object) -> None:
        raise DeviceBusy("indicator: another process has its pin")

    monkeypatch.setattr(device_check, "open_board", taken)

    said = words(device, "devices")
    assert said.startswith("indicator: another process has its pin; capture is that where it is")


def test_receiver_without_a_fix_is_reported_and_is_no_failure(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Indoors that is normal: a technician who provisions a device there reads a note."""
    monkeypatch.setattr(device_check, "POSITION_WAIT_S", 0.2)
    device.set_world('[[at]]\nsecond = 0\nfix = "none"\n')

    ((level, said),) = found(device, "position")
    assert (level, "no fix" in said) == (Level.NOTE, True)


@pytest.mark.slow
def test_a_receiver_without_an_answer_is_a_failure_of_the_position_only(device: Device) -> None:
    device.set_world('[[at]]\nsecond = 0\nfix = "unplugged"\n')

    assert levels(device, "position") == [Level.FAILED]
    assert levels(device, "devices") == [Level.OK]


def looked_at(answer: dict[str, object]) -> control.Answering:
    """A capture that runs, and says this of a test card."""
    return lambda asked, _user: dict(answer) if "test_card" in asked else {"writable": True}


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ({}, Level.FAILED),
        ({"verdict": "ok"}, Level.FAILED),
        (
            {"verdict": "ok", "mean_pct": "bright", "clipped_pct": 0, "gain": 1, "exposure_us": 1},
            Level.FAILED,
        ),
        ({"error": "no camera", "exit": 70}, Level.FAILED),
        ({"error": "a route is in hand", "exit": 75}, Level.LATER),
    ],
    ids=str,
)
def test_capture_words_about_a_test_card_are_input(
    device: Device, answer: dict[str, object], level: Level
) -> None:
    device.layout.make()

    with control.serve(device.layout.capture_socket, looked_at(answer)):
        ((told, _),) = found(device, "camera", looks=True)

    assert told is level


@pytest.mark.slow
def test_doctor_looks_itself_with_capture_stopped_and_leaves_nothing(device: Device) -> None:
    told = device.run("doctor", "--camera", "--json")

    camera = [one for one in json.loads(told.stdout) if one["check"] == "camera"]
    assert [one["level"] for one in camera] == ["ok"] * 3
    assert camera[0]["figures"]["verdict"] == "ok"
    assert camera[0]["figures"]["sharpness"] > 52
    assert all("figures" not in one for one in camera[1:])
    assert not device.layout.state.exists()


# What is kept of it for the status


def test_failure_is_kept_for_the_status(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    """A status ends with 0, also of an alarm."""
    _, database, outbox = queue(device.folder)
    outbox.mark_damaged(outbox.get(add(outbox, RecordMaker().make()).label.capture_id), "gone")
    database.close()

    ended = run(device, "doctor")
    capsys.readouterr()
    looked = run(device, "status", "--json")

    told, kept = json.loads(printed(capsys)), device.layout.doctor_file
    assert (ended, looked) == (70, 0)
    assert told["doctor"] == {"utc": told["utc"][:14] + "00:00.000Z", "failed": ["queue"]}
    assert "doctor" in told["needs"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert not kept.with_suffix(".part").exists()


def test_that_it_cannot_be_kept_changes_no_finding_and_no_exit_code(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    empty_queue(device.folder)

    def examined() -> tuple[int, list[str], str]:
        code, told = run(device, "doctor"), capsys.readouterr()
        return code, [line[:21] for line in told.out.splitlines()], told.err

    before = examined()
    device.layout.doctor_file.unlink()
    (device.layout.doctor_file / "in the way").mkdir(parents=True)

    assert before[2] == ""
    assert examined() == before
    assert run(device, "status", "--json") == 0
    assert json.loads(printed(capsys))["doctor"] is None
