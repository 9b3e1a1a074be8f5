"""`doorstep sync --once`: what it tells and ends with."""

from pathlib import Path

import pytest

from agent.process import control
from tests.agent.command.inprocess import printed, run
from tests.support.device import Device, empty_queue, towards
from tests.support.factory import RecordMaker, add, queue
from tests.support.rawserver import raw_server


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
    made = add(outbox, RecordMaker().make())
    made.into(layout.records)
    database.close()

    assert run(device, "sync", "--once") == 75
    assert "0 delivered, 1 waiting" in printed(capsys)


@pytest.mark.parametrize("member", ["paused", "error"])
def test_what_a_running_sync_says_does_not_command_the_terminal(
    device: Device, capsys: pytest.CaptureFixture[str], member: str
) -> None:
    empty_queue(device.folder)
    said = {"tried": 0, "delivered": 0, "waiting": 0, "paused": None} | {member: "x\x1b[2J"}

    with control.serve(device.layout.sync_socket, lambda *_: dict(said)):
        run(device, "sync", "--once")

    told = "".join(capsys.readouterr())
    assert "x [2J\n" in told
    assert "\x1b" not in told


def test_sync_once_says_why_it_is_paused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with raw_server(tmp_path) as server:
        server.script = lambda _: [b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"]
        device = Device(tmp_path / "device", backend=towards(server))
        layout, database, outbox = queue(device.folder)
        add(outbox, RecordMaker().make()).into(layout.records)
        database.close()

        assert run(device, "sync", "--once") == 75
    assert "paused: POST was answered 401" in printed(capsys)
