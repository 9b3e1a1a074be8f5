"""`doorstep sync --once`: what it tells and ends with."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.command.sync import is_urgent, sync_loop
from agent.config import load
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.process import control
from agent.record import signing
from agent.wire.http import Limits
from tests.support.device import Device, empty_queue
from tests.support.est import PREFIX, Answered, est_server, required
from tests.support.factory import RecordMaker, add, queue
from tests.unit.agent.command.inprocess import Ended, Terminal


def test_sync_once_with_nothing_to_send_ends_with_0(terminal: Terminal) -> None:
    empty_queue(terminal.device.folder)

    assert terminal.run("sync", "--once") == Ended(0, "0 delivered, 0 waiting\n")


def test_sync_once_ends_with_75_while_items_remain(terminal: Terminal) -> None:
    layout, database, outbox = queue(terminal.device.folder)
    made = add(outbox, RecordMaker().make())
    made.into(layout.records)
    database.close()

    ended = terminal.run("sync", "--once")
    assert ended.code == 75
    assert "0 delivered, 1 waiting" in ended.out


@pytest.mark.parametrize(
    ("member", "expected"),
    [("paused", "0 delivered, 0 waiting; paused: x [2J\n"), ("error", "x [2J\n")],
)
def test_text_of_a_running_sync_is_shown_and_does_not_command_the_terminal(
    terminal: Terminal, member: str, expected: str
) -> None:
    empty_queue(terminal.device.folder)
    said = {"tried": 0, "delivered": 0, "waiting": 0, "paused": None} | {member: "x\x1b[2J"}

    with control.serve(terminal.device.layout.sync_socket, lambda *_: dict(said)):
        ended = terminal.run("sync", "--once")

    told = ended.out + ended.err
    assert ended.code != 0
    assert expected in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    ("said", "urgent"),
    [
        ({"external": True, "manifest": 7}, True),
        ({"external": False, "manifest": "none"}, True),
        ({"external": False, "manifest": 7}, False),
        ({"external": None, "manifest": "off"}, False),
        ({"external": "yes", "manifest": ["none"]}, False),
        ({"error": "it is stopping", "exit": 75}, False),
        ({}, False),
    ],
)
def test_sync_does_not_wait_for_a_batch_in_the_cradle_or_without_a_route(
    terminal: Terminal, said: dict[str, Any], *, urgent: bool
) -> None:
    layout = terminal.device.layout
    layout.make()
    with control.serve(layout.capture_socket, lambda *_: dict(said)):
        assert is_urgent(layout) is urgent
    assert not is_urgent(layout)


def test_an_authority_that_drips_does_not_hold_records_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte is progress: what ends it is the limit of somebody who waits, not of a photo."""
    monkeypatch.setattr("agent.identity.sync_part.LIMITS", Limits(attempt_s=1.0))
    drips = Answered(200, b"A" * 100, byte_every_s=0.1)

    with est_server(tmp_path / "est") as server:
        server.script = lambda asked: drips if asked.path.startswith(PREFIX) else None
        device = Device(
            tmp_path / "van", **required(server, tmp_path / "van", signing.new_key().public_key())
        )
        empty_queue(device.folder)
        key, began = signing.new_key(), datetime.now(UTC) - timedelta(days=300)
        leaf = server.authority.issue(key.public_key(), "van-7", starts=began)
        IdentityStore(device.layout).install(TlsIdentity(key, (leaf,)))
        began_s = time.monotonic()
        with sync_loop(load(device.config)) as loop:
            loop.step()
        took_s = time.monotonic() - began_s

    assert "simplereenroll" in server.paths()
    assert took_s < 5
