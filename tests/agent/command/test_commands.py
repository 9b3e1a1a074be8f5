"""What each command prints and ends with."""

import json
from pathlib import Path

import pytest

from agent.__main__ import main
from agent.capture.socket_presses import Reply
from agent.command import commands
from agent.models import Reason
from agent.process import control
from tests.support.benchtop import bench
from tests.support.device import Device, empty_queue, towards
from tests.support.factory import MOMENT, add, owned_by_a_user, queue
from tests.support.factory import Device as Maker
from tests.support.rawserver import raw_server


def run(device: Device, *words: str) -> int:
    return main([*words, "--config", str(device.config)])


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


# capture --once


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ({"record": {}, "retake": False}, 0),
        ({"record": {}, "retake": True}, 4),
        *(({"record": {"reason": reason}, "retake": False}, 3) for reason in Reason),
    ],
)
def test_a_press_by_command_ends_with_what_came_of_it(reply: Reply, code: int) -> None:
    """Faults are 70, everything that a rule refuses is 3."""
    faults = {"camera_fault", "storage_full", "storage_fault", "battery_empty"}
    expected = 70 if reply["record"].get("reason") in faults else code

    assert commands.exit_code(reply) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "changes", "code", "told"),
    [
        ("", {}, 0, "photo"),
        ("[[at]]\npress = 1\nmotion_px = 22.0\n", {}, 4, "photo"),
        ('[[at]]\npress = 1\ncamera = "fail"\n', {}, 70, "no_photo"),
        ('[[at]]\npress = 1\ncamera = "stall"\n', {}, 70, "no_photo"),
        ("[[at]]\nsecond = 0\nbattery_pct = 4\n", {}, 70, "no_photo"),
        ("", {"state": {"reserve_mb": 1_000_000}}, 70, "no_photo"),
        ("", {"device": {"bench_mode": True}}, 0, "test"),
    ],
    ids=["ok", "blurred", "camera fails", "camera stalls", "battery", "full", "bench mode"],
)
def test_capture_once_presses_and_prints_the_record_as_one_line_of_json(
    tmp_path: Path, world: str, changes: dict[str, dict[str, object]], code: int, told: str
) -> None:
    ended = Device(tmp_path, world, **changes).run("capture", "--once")

    (line,) = ended.stdout.splitlines()
    reply = json.loads(line)
    assert ended.returncode == code, ended.stderr
    assert reply["label"]["kind"] == told
    assert reply["record"]["trigger"]["by"] == "command"


@pytest.mark.slow
def test_capture_once_asks_a_running_process_and_it_goes_on(device: Device) -> None:
    device.start("capture")
    try:
        ended = device.run("capture", "--once")
        again = device.run("capture")

        assert device.ask("capture", {"status": True}) is not None
    finally:
        device.stop_all()
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["record"]["trigger"]["by"] == "command"
    assert again.returncode == 75
    assert "only one may run" in again.stderr


def test_capture_once_does_not_press_on_a_provisioned_device_whose_process_runs(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    device.layout.make()
    refusal = {"error": "bench mode is off; set device.bench_mode to test", "exit": 2}

    with control.serve(device.layout.capture_socket, lambda *_: refusal):
        code = run(device, "capture", "--once")

    assert code == 2
    assert "device.bench_mode" in capsys.readouterr().err


def test_who_may_not_ask_the_capture_process_ends_as_with_any_missing_permission(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Trying again later does not help."""
    refusal = {"error": "bench mode is off; set device.bench_mode to test", "exit": 2}
    with owned_by_a_user() as folder:
        device = Device(folder)
        device.layout.make()
        with control.serve(device.layout.capture_socket, lambda *_: refusal):
            device.layout.capture_socket.chmod(0)
            code = run(device, "capture", "--once")

    assert code == 70
    assert "Permission denied; ask as a member of its group" in capsys.readouterr().err


# status and queue


@pytest.mark.parametrize(("words", "code"), [(["status"], 0), (["queue"], 75), (["prune"], 75)])
def test_before_capture_ever_ran_a_command_says_to_start_it(
    device: Device, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    """A status is an answer in any case; a list that does not exist yet is none."""
    assert run(device, *words) == code
    told = capsys.readouterr()
    assert "start `doorstep capture` first" in told.out + told.err
    assert not device.layout.state.exists()


def filled(device: Device, count: int = 5) -> list[str]:
    _, database, outbox = queue(device.folder)
    maker = Maker()
    ids = [add(outbox, maker.make()).label.capture_id for _ in range(count)]
    outbox.mark_refused(outbox.get(ids[1]), "a refusal", MOMENT, "unknown_key")
    outbox.mark_damaged(outbox.get(ids[2]), "its file is gone")
    outbox.book(outbox.get(ids[3]), 1e9, "POST was answered 413", suspected=True)
    database.close()
    return list(ids)


def listed(device: Device, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert run(device, "queue", "--json", *words) == 0
    return [json.loads(line)["capture_id"] for line in printed(capsys).splitlines()]


def test_status_and_queue_end_with_0_also_with_alarms(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(device)

    assert run(device, "status") == 0
    assert run(device, "queue") == 0
    told = printed(capsys)
    assert "1 refused, 1 damaged" in told
    assert "POST was answered 413" in told


def test_status_as_json_is_one_document(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    filled(device)

    assert run(device, "status", "--json") == 0
    assert json.loads(printed(capsys))["queue"]["waiting"] == 3


def test_the_queue_can_be_paged_through(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    ids = filled(device)

    assert listed(device, capsys) == ids
    assert listed(device, capsys, "--limit", "2") == ids[:2]
    assert listed(device, capsys, "--limit", "2", "--after", "2") == ids[2:4]
    assert listed(device, capsys, "--state", "REFUSED") == [ids[1]]


def test_the_number_to_page_by_is_in_the_list_also_behind_a_second_chain(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    """The numbers of a new chain start at 1 again, those of the queue do not."""
    first, second = filled(device), filled(device)
    run(device, "queue", "--json")
    numbers = [json.loads(line)["number"] for line in printed(capsys).splitlines()]

    assert numbers == list(range(1, 11))
    assert listed(device, capsys, "--after", "5") == second
    assert listed(device, capsys, "--limit", "5") == first


def test_a_list_tells_neither_receipts_nor_digests_of_labels(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(device)
    run(device, "queue", "--json")

    assert set(json.loads(printed(capsys).splitlines()[0])) == {
        "number",
        "capture_id",
        "chain",
        "seq",
        "kind",
        "about",
        "utc",
        "clock",
        "bytes",
        "sha256",
        "state",
        "attempts",
        "suspected",
        "upload_url",
        "answer",
        "decided_utc",
    }


def test_an_empty_list_says_so(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    empty_queue(device.folder)

    assert run(device, "queue", "--state", "REFUSED") == 0
    assert printed(capsys) == "nothing in the queue is REFUSED\n"


def test_a_list_that_ends_at_its_limit_says_how_to_go_on(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(device)

    assert run(device, "queue", "--limit", "1") == 0
    assert printed(capsys).splitlines()[-1] == "there may be more: --after 1"
    assert run(device, "queue", "--after", "99") == 0
    assert printed(capsys) == "nothing in the queue after 99\n"


def test_states_may_be_written_small(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    empty_queue(device.folder)

    assert run(device, "queue", "--state", "refused") == 0
    assert printed(capsys) == "nothing in the queue is REFUSED\n"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_retry_puts_one_item_back(
    device: Device, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    ids = filled(device)

    assert run(device, "queue", "retry", ids[number]) == 0
    assert "1 put back" in printed(capsys)
    assert ids[number] in listed(device, capsys, "--state", "PENDING")


def test_retry_of_all_puts_refused_damaged_and_suspect_items_back(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = filled(device)

    assert run(device, "queue", "retry", "--all") == 0
    assert "3 put back" in printed(capsys)
    assert listed(device, capsys, "--state", "PENDING") == ids


@pytest.mark.parametrize("words", [["--json", "retry"], ["retry", "--json"]])
def test_retry_tells_json_where_it_is_asked_to(
    device: Device, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    filled(device)

    assert run(device, "queue", *words, "--all") == 0
    assert json.loads(printed(capsys)) == {"put_back": 3}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give one ID, or --all"),
        (["{first}", "--all"], "give one ID, or --all"),
        (["{first}"], "neither refused nor damaged"),
        (["nobody"], "not in the queue"),
    ],
)
def test_a_retry_that_means_nothing_is_refused_with_2(
    device: Device, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    first = filled(device)[0]

    assert run(device, "queue", "retry", *(word.format(first=first) for word in words)) == 2
    assert told in capsys.readouterr().err


# sync and prune


def test_sync_once_with_nothing_to_send_ends_with_0(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    empty_queue(device.folder)

    assert run(device, "sync", "--once") == 0
    assert printed(capsys) == "0 delivered, 0 waiting\n"


def test_sync_once_ends_with_75_while_items_remain(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    layout, database, outbox = queue(device.folder)
    made = add(outbox, Maker().make())
    made.into(layout.records)
    database.close()

    assert run(device, "sync", "--once") == 75
    assert "0 delivered, 1 waiting" in printed(capsys)


def test_sync_once_says_why_it_is_paused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with raw_server(tmp_path) as server:
        server.script = lambda _: [b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"]
        device = Device(tmp_path / "device", backend=towards(server))
        layout, database, outbox = queue(device.folder)
        add(outbox, Maker().make()).into(layout.records)
        database.close()

        assert run(device, "sync", "--once") == 75
    assert "paused: POST was answered 401" in printed(capsys)


def test_prune_says_what_it_deleted(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    empty_queue(device.folder)

    assert run(device, "prune") == 0
    assert printed(capsys) == "0 files and 0 rows deleted\n"


# config


def test_config_prints_every_setting_that_holds(
    device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(device, "config") == 0
    told = printed(capsys)
    assert 'device.id = "van-7"\n' in told
    assert "camera.width_px = 640\n" in told
    assert f'backend.receipt_keys = ["{device.folder}/receipt-key.pem"]\n' in told
    assert "simulated.world = " in told
    assert told.endswith("the configuration is valid\n")


def test_config_check_prints_no_setting(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(device, "config", "--check") == 0
    assert printed(capsys) == f"{device.config}: the configuration is valid\n"


# verify


def test_verify_of_a_good_folder_ends_with_0_and_of_an_altered_one_with_65(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = Maker()
    for made in [maker.make() for _ in range(3)]:
        path = made.into(tmp_path)

    assert main(["verify", str(tmp_path)]) == 0
    content = bytearray(path.read_bytes())
    content[-2000] ^= 1
    path.write_bytes(content)
    assert main(["verify", str(tmp_path)]) == 65
    assert "not everything verifies" in printed(capsys)


def test_a_folder_that_this_user_may_not_read_is_not_an_empty_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with owned_by_a_user() as folder:
        Maker().make().into(folder)
        folder.chmod(0o300)
        code = main(["verify", str(folder)])
        folder.chmod(0o700)

    assert code == 70
    assert f"cannot read {folder}: Permission denied" in capsys.readouterr().err


def test_verify_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert "not a folder" in capsys.readouterr().err


# The button of a provisioned device


def test_capture_once_takes_the_photo_button_and_no_other(tmp_path: Path) -> None:
    """On a provisioned device a person presses; the scan button beside it is no photo."""
    with bench(tmp_path) as one:
        one.hold_scan(held_s=0.1)
        one.hold_scan()
        one.press()

    assert [reply["label"]["kind"] for reply in one.replies] == ["photo"]
