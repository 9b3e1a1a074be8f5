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
from agent.models import Kind
from agent.process import control
from agent.queue.disk import lock
from agent.queue.paths import Layout
from agent.trust.store import TrustStore
from hardware.errors import DeviceBusy
from tests.support.device import Device, towards
from tests.support.factory import RecordMaker, add, owned_by_a_user, queue
from tests.support.fleet_documents import FleetOffice, identity
from tests.support.rawserver import raw_server


def levels(device: Device) -> dict[str, Level]:
    return {finding.check: finding.level for finding in doctor.examine(device.config)}


def words(device: Device, check: str) -> str:
    found = [one.words for one in doctor.examine(device.config) if one.check == check]
    return "\n".join(found)


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


def test_a_device_that_never_ran_has_no_fault_but_a_backend_out_of_reach(tmp_path: Path) -> None:
    device = Device(tmp_path)

    found = levels(device)

    assert found["backend"] is Level.LATER
    assert Level.FAILED not in found.values()
    assert found["sealing"] is Level.OK
    assert not device.layout.state.exists(), "looking at a device changes nothing on it"
    assert not device.layout.run.exists()


def test_it_says_whether_photos_are_sealed(tmp_path: Path) -> None:
    sealed, plain = Device(tmp_path), Device(tmp_path / "bench", policy={"seal": "off"})

    assert words(sealed, "sealing") == "to 2 recipients, each opens alone"
    assert "not for the road" in words(plain, "sealing")


def test_photos_of_before_sealing_are_counted(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.layout.make()
    maker = RecordMaker()
    for made in (maker.make(), maker.make(), maker.make(Kind.NO_PHOTO)):
        made.into(device.layout.records)

    (found,) = (one for one in doctor.examine(device.config) if one.check == "sealing")
    assert (found.level, "; 2 photos of before are readable" in found.words) == (Level.NOTE, True)


def test_a_fleet_without_recipients_is_a_fault_and_one_without_a_document_its_own(
    tmp_path: Path,
) -> None:
    office = FleetOffice()
    device = Device(tmp_path, "", **identity(tmp_path, office))
    device.layout.make()

    before = [one for one in doctor.examine(device.config) if one.check == "sealing"]
    TrustStore(device.layout).keep_fleet((office.document(1, recipients=[]),))
    after = [one for one in doctor.examine(device.config) if one.check == "sealing"]

    assert [one.level for one in (*before, *after)] == [Level.NOTE, Level.FAILED]
    assert "`fleet publish`" in after[0].words


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (None, "ok on: photos carry a C2PA manifest"),
        ("no evidence certificate yet", "FAILED .*: no evidence certificate yet; sync asks for"),
        ("outside its validity", "FAILED .*: outside its validity; look at the clock"),
        ("failed: no memory", "FAILED .*: failed: no memory; tell the office, and quote this"),
    ],
)
def test_a_photo_without_credentials_is_a_failure_with_its_reason(
    tmp_path: Path, missing: str | None, expected: str
) -> None:
    policy = {"manifest": "off", "credentials": "on"}
    device = Device(tmp_path, "", **identity(tmp_path, FleetOffice()), policy=policy)
    device.layout.make()

    with control.serve(device.layout.capture_socket, lambda *_: {"no_credentials": missing}):
        (found,) = [one for one in doctor.examine(device.config) if one.check == "credentials"]

    assert re.match(expected, f"{found.level} {found.words}")


def test_credentials_without_their_library_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    policy = {"manifest": "off", "credentials": "on"}
    device = Device(tmp_path, "", **identity(tmp_path, FleetOffice()), policy=policy)

    assert words(device, "credentials").startswith("photos are kept without: c2pa cannot be loaded")


def test_credentials_that_are_off_are_a_note(tmp_path: Path) -> None:
    found = [one for one in doctor.examine(Device(tmp_path).config) if one.check == "credentials"]

    assert [one.level for one in found] == [Level.NOTE]
    assert found[0].words.startswith("switched off: ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policy": {"manifest": "on"}}, "policy.manifest"),
        ({"backend": {"receipt_keys": ["missing.pem"]}}, "missing.pem"),
        ({"simulated": {"world": "no-world.toml"}}, "no-world.toml"),
    ],
)
def test_a_wrong_configuration_is_the_only_finding(
    tmp_path: Path, changes: dict[str, dict[str, object]], expected: str
) -> None:
    device = Device(tmp_path, "", **changes)

    (finding,) = doctor.examine(device.config)

    assert finding.level is Level.FAILED
    assert expected in finding.words


def test_a_missing_camera_is_a_failure_that_names_the_setting(tmp_path: Path) -> None:
    device = Device(tmp_path, camera={"kind": "v4l2", "device": 63})

    assert levels(device)["devices"] is Level.FAILED
    assert "camera.device" in words(device, "devices")


def test_an_unreadable_ca_is_a_finding_like_any_other(tmp_path: Path) -> None:
    device = Device(tmp_path, backend={"ca": "no-ca.pem"})

    assert levels(device)["backend"] is Level.FAILED
    assert "backend.ca" in words(device, "backend")


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

        found = levels(device)

    assert found["backend"] is level
    assert server.requests[0].method == "HEAD"


def test_alarms_of_the_queue_and_torn_files_are_findings(tmp_path: Path) -> None:
    device = Device(tmp_path)
    layout, database, outbox = queue(tmp_path)
    made = add(outbox, RecordMaker().make())
    outbox.mark_damaged(outbox.get(made.label.capture_id), "its file is gone")
    (layout.torn / "x.rec").write_bytes(b"torn")
    database.close()

    assert levels(device)["queue"] is Level.FAILED
    assert "1 damaged" in words(device, "queue")
    assert "1 files in" in words(device, "torn files")


OPENED = [
    ("", 0o2770),
    ("queue", 0o3770),
    ("records", 0o400),
    ("keys/capture", 0o750),
    ("capture.lock", 0o660),
    ("queue/doorstep.db", 0o600),
]
"""Modes that let others do too much, or somebody too little."""


@pytest.mark.parametrize(("place", "mode"), OPENED)
def test_another_mode_than_the_tables_is_a_failure_with_its_remedy(place: str, mode: int) -> None:
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
def test_what_its_owner_may_not_use_is_a_failure_with_its_remedy(closed: str) -> None:
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
def test_a_place_of_another_owner_or_a_link_in_it_is_a_failure(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()
    os.chown(layout.records, 54_321, -1)
    layout.torn.rmdir()
    layout.torn.symlink_to(tmp_path)

    found = list(permissions.wrong(layout))

    assert [words.split(": ")[1].split(";")[0] for words in found] == [
        "belongs to user 54321",
        "a link, which nobody of Doorstep makes",
    ]


@pytest.mark.slow
def test_as_root_the_backend_is_asked_by_syncs_user(tmp_path: Path) -> None:
    """What it is asked with is for that user's eyes only."""
    if os.geteuid() != 0:
        pytest.fail("only root can become somebody else; run this test as root")
    device = Device(tmp_path, backend={"url": "https://127.0.0.1:9", "ca": "ca.pem"})
    queue(tmp_path)[1].close()
    (tmp_path / "ca.pem").write_text("no certificate")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    for place in (device.layout.keys, device.layout.sync_keys):
        os.chown(place, 54_322, -1)
    (tmp_path / "ca.pem").chmod(0)

    told = device.run("doctor", "--json")

    (backend,) = (one for one in json.loads(told.stdout) if one["check"] == "backend")
    assert "Permission denied" in backend["words"]


def test_the_oldest_tells_why_it_waits(tmp_path: Path) -> None:
    device = Device(tmp_path)
    _layout, database, outbox = queue(tmp_path)
    add(outbox, RecordMaker().make())
    item = outbox.claim(0.0, due_s=600.0)
    assert item is not None
    outbox.book(item, 600.0, "the receipt is signed by a key that is not trusted")
    database.close()

    assert "tried once; last answer: the receipt is signed" in words(device, "queue")


def test_too_little_room_is_a_failure(tmp_path: Path) -> None:
    device = Device(tmp_path, state={"reserve_mb": 1_000_000})
    queue(tmp_path)[1].close()

    found = [one for one in doctor.examine(device.config) if one.check == "disk"]

    assert found[0].level is Level.FAILED
    assert "presses are refused" in found[0].words


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ({"ready": True, "writable": True, "position": "ok"}, Level.OK),
        ({"ready": False, "writable": True, "position": "ok"}, Level.OK),
        ({"ready": False, "writable": False, "position": "ok"}, Level.FAILED),
        ({"error": "it is stopping", "exit": 75}, Level.FAILED),
    ],
)
def test_a_running_capture_process_is_asked_instead_of_opening_its_devices(
    tmp_path: Path, answer: dict[str, object], level: Level
) -> None:
    device = Device(tmp_path, camera={"kind": "v4l2", "device": 63})
    layout = Layout(tmp_path / "state", tmp_path / "run")
    layout.make()

    with control.serve(layout.capture_socket, lambda *_: dict(answer)):
        assert levels(device)["devices"] is level


@pytest.mark.slow
def test_a_capture_that_is_starting_has_the_devices_to_itself(tmp_path: Path) -> None:
    """Doctor would have opened them before it, and its start ended with "GPIO busy"."""
    device = Device(tmp_path)
    device.layout.make()

    with lock(device.layout.capture_lock, exclusive=True, wait=False):
        found = words(device, "devices")

    assert found.startswith("capture is starting, and does not answer yet: run this again")
    assert words(device, "devices") == "all open; capture does not run"


def test_pins_that_are_taken_are_captures_where_it_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows its red light so long, without a lock: what is broken may be where that lies."""

    def taken(*_: object) -> None:
        raise DeviceBusy("indicator: another process has its pin")

    monkeypatch.setattr(device_check, "open_board", taken)

    found = words(Device(tmp_path), "devices")

    assert found.startswith("indicator: another process has its pin; capture is that where it is")


def test_a_receiver_without_a_fix_is_told_and_is_no_failure(tmp_path: Path) -> None:
    """Indoors that is so: whoever provisions a device there reads a note."""
    device = Device(tmp_path, '[[at]]\nsecond = 0\nfix = "none"\n')

    found = levels(device)

    assert found["position"] is Level.NOTE
    assert "no fix" in words(device, "position")


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        ({"position": "ok", "has_fix": True}, Level.OK),
        ({"position": "ok", "has_fix": False}, Level.NOTE),
        ({"position": "gpsd: refused", "has_fix": False}, Level.FAILED),
        ({"position": "ok", "has_fix": "perhaps"}, None),
        ({"position": "ok"}, None),
    ],
    ids=str,
)
def test_what_capture_says_of_the_receiver_is_told_and_nothing_where_it_says_nothing(
    tmp_path: Path, answer: dict[str, object], level: Level | None
) -> None:
    device = Device(tmp_path)
    device.layout.make()

    with control.serve(device.layout.capture_socket, lambda *_: dict(answer)):
        assert levels(device).get("position") is level


@pytest.mark.parametrize(
    ("answer", "camera", "battery"),
    [
        ({"frames_come": True, "battery_pct": 83}, None, Level.OK),
        ({"frames_come": False, "battery_pct": None}, Level.FAILED, Level.NOTE),
        ({"frames_come": "perhaps", "battery_pct": "much"}, None, Level.NOTE),
        ({}, None, Level.NOTE),
    ],
    ids=str,
)
def test_a_camera_without_frames_and_a_battery_without_a_gauge_are_told(
    tmp_path: Path, answer: dict[str, object], camera: Level | None, battery: Level
) -> None:
    device = Device(tmp_path)
    device.layout.make()

    with control.serve(device.layout.capture_socket, lambda *_: dict(answer)):
        found = levels(device)

    assert (found.get("camera"), found["battery"]) == (camera, battery)


CAMERA_LIES: list[dict[str, object]] = [
    {},
    {"verdict": "ok"},
    {"verdict": "ok", "mean_pct": "bright", "clipped_pct": 0, "gain": 1, "exposure_us": 1},
    {"error": "no camera", "exit": 70},
]


def looked_at(answer: dict[str, object]) -> control.Answering:
    """A capture that runs, and says this of a test card."""
    return lambda asked, _user: dict(answer) if "test_card" in asked else {"writable": True}


@pytest.mark.parametrize("answer", CAMERA_LIES, ids=str)
def test_what_capture_says_of_a_test_card_is_input(
    tmp_path: Path, answer: dict[str, object]
) -> None:
    device = Device(tmp_path)
    device.layout.make()

    with control.serve(device.layout.capture_socket, looked_at(answer)):
        found = [one for one in doctor.examine(device.config, looks=True) if one.check == "camera"]

    assert [one.level for one in found] == [Level.FAILED]


def test_a_camera_that_may_not_look_now_is_asked_later(tmp_path: Path) -> None:
    device = Device(tmp_path)
    device.layout.make()
    refusal = {"error": "a route is in hand", "exit": 75}

    with control.serve(device.layout.capture_socket, looked_at(refusal)):
        found = [one for one in doctor.examine(device.config, looks=True) if one.check == "camera"]

    assert [(one.level, one.words) for one in found] == [(Level.LATER, "a route is in hand")]


@pytest.mark.slow
def test_with_capture_stopped_doctor_itself_looks_and_leaves_nothing(tmp_path: Path) -> None:
    device = Device(tmp_path)

    told = device.run("doctor", "--camera", "--json")

    camera = [one for one in json.loads(told.stdout) if one["check"] == "camera"]
    assert [one["level"] for one in camera] == ["ok"] * 3
    assert camera[0]["figures"]["verdict"] == "ok"
    assert camera[0]["figures"]["sharpness"] > 95
    assert all("figures" not in one for one in camera[1:])
    assert not device.layout.state.exists()


def test_without_being_asked_doctor_does_not_look(tmp_path: Path) -> None:
    assert "camera" not in levels(Device(tmp_path))


@pytest.mark.slow
def test_a_receiver_without_an_answer_is_a_failure_of_the_position_only(tmp_path: Path) -> None:
    device = Device(tmp_path, '[[at]]\nsecond = 0\nfix = "unplugged"\n')

    found = levels(device)

    assert found["position"] is Level.FAILED
    assert found["devices"] is Level.OK


@pytest.mark.slow
def test_the_findings_are_the_same_as_json_and_as_lines(tmp_path: Path) -> None:
    device = Device(tmp_path)

    as_json = device.run("doctor", "--json")
    in_words = device.run("doctor")

    assert as_json.returncode == in_words.returncode == 75
    for finding in json.loads(as_json.stdout):
        assert finding["check"] in in_words.stdout


def test_simulated_receiver_is_no_receiver_behind_gpsd(tmp_path: Path) -> None:
    device = Device(tmp_path, clock={"kind": "system"})
    layout = device.layout
    layout.make()

    with control.serve(layout.capture_socket, lambda _asked, _user: {"clock": "gnss"}):
        assert words(device, "clock") == "by GNSS: what the simulated receiver says"


def test_device_without_a_certificate_is_told_to_enrol_and_not_to_fetch(tmp_path: Path) -> None:
    device = Device(tmp_path, "", **identity(tmp_path, FleetOffice()))

    assert words(device, "fleet").endswith("presses are refused; `doorstep enrol` fetches it")


def test_what_failed_is_kept_for_the_status(tmp_path: Path) -> None:
    device = Device(tmp_path)
    _, database, outbox = queue(tmp_path)
    outbox.mark_damaged(outbox.get(add(outbox, RecordMaker().make()).label.capture_id), "gone")
    database.close()

    ended = device.run("doctor")
    told = json.loads(device.run("status", "--json").stdout)

    kept = device.layout.doctor_file
    assert ended.returncode == 70
    assert told["doctor"] == {"utc": told["utc"][:14] + "00:00.000Z", "failed": ["queue"]}
    assert "doctor" in told["needs"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    assert not kept.with_suffix(".part").exists()


def test_that_it_cannot_be_kept_changes_no_finding_and_no_exit_code(tmp_path: Path) -> None:
    device = Device(tmp_path)
    queue(tmp_path)[1].close()
    before = device.run("doctor")
    device.layout.doctor_file.unlink()
    (device.layout.doctor_file / "in the way").mkdir(parents=True)

    after = device.run("doctor")

    assert (after.returncode, after.stderr) == (before.returncode, "")
    assert _checks(after.stdout) == _checks(before.stdout)
    assert json.loads(device.run("status", "--json").stdout)["doctor"] is None


def _checks(told: str) -> list[str]:
    return [line[:21] for line in told.splitlines()]
