"""A process that was taken over delays, and loses, alters or forges nothing, by real users."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.faults.privileges.attacks import ATTACKS, COLUMNS, FILES, LOCKS, ROWS, SCHEMA, Attack
from tests.faults.privileges.device import DONE, REFUSED, SENT, AttackedDevice, end, provisioned
from tests.faults.privileges.serve_attacks import SERVED, SERVED_IN_UNIT, SERVED_LONG
from tests.support.backend import Backend, running_backend

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with running_backend(tmp_path_factory.mktemp("backend")) as one:
        yield one


class Devices:
    """A device, and the next one once an attack has left the last one unsound."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.opened = ExitStack()
        self.sound: AttackedDevice | None = None

    def take(self) -> AttackedDevice:
        """Return a device on which everything is as it was promised."""
        if self.sound is None:
            self.opened.close()
            self.sound = self.opened.enter_context(provisioned(self._backend))
        van, self.sound = self.sound, None
        van.remember()
        return van


@pytest.fixture(scope="module")
def devices(backend: Backend) -> Iterator[Devices]:
    made = Devices(backend)
    with made.opened:
        yield made


LONG = [*COLUMNS, *FILES[6:], LOCKS[1], *LOCKS[3:], *ROWS[4:], *SCHEMA[1:]]
LONG += [*SERVED[3:], *SERVED_IN_UNIT[2:], *SERVED_LONG]
"""CI has no time for these: tests/unit/agent/queue/test_lies.py tries each without processes."""


ALL = [*ATTACKS, *SERVED, *SERVED_IN_UNIT, *SERVED_LONG]


def row(attack: Attack) -> Any:
    return pytest.param(attack, id=str(attack), marks=pytest.mark.long if attack in LONG else ())


@pytest.mark.parametrize("attack", [row(attack) for attack in ALL])
def test_a_trick_loses_alters_and_forges_nothing(devices: Devices, attack: Attack) -> None:
    """While it lasts presses are kept, red at worst; when it has ended, all is sent."""
    van = devices.take()
    if attack.at_rest:
        van.stop_capture()
    how, attacker = van.attack(attack.user, attack.act, read_only=attack.read_only)
    try:
        assert how == (REFUSED if attack.is_refused else DONE), van.device.log("attack")
        check_kept(van)
        van.start_capture()
        check_kept(van)
    finally:
        end(attacker)
    if not attack.is_refused:  # else nothing was done that could go on
        check_goes_on(van)
    devices.sound = van


def check_kept(van: AttackedDevice) -> None:
    """A press leaves one more record; what was there is there, byte for byte."""
    before = {path.stem for path in van.layout.records.glob("*.rec")}
    red = van.press()
    made = {path.stem for path in van.layout.records.glob("*.rec")} - before

    assert len(made) == 1, red
    for name, content in van.content.items():
        assert van.layout.record(name).read_bytes() == content
    for name in made:
        van.content[name] = van.layout.record(name).read_bytes()
    assert (van.layout.capture_keys / "device.pem").read_bytes() == van.key


def check_goes_on(van: AttackedDevice) -> None:
    """After the alarms were seen to, as a technician would: green, sent, and a chain that holds."""
    for _ in range(3):
        van.start_capture()
        van.stop_capture()
        van.do("doorstep-capture", "prune")
        van.do("doorstep-capture", "queue", "retry", "--all")
        van.do("doorstep-sync", "sync", "--once")
        if is_sent(van):
            break
    van.start_capture()
    red = van.press()
    sent = van.do("doorstep-sync", "sync", "--once")
    verified = van.do("doorstep-capture", "verify", str(van.layout.records))

    assert red is None, red
    assert sent.code == 0, sent.said
    assert is_sent(van), van.states()
    assert verified.code == 0, verified.said
    assert "Traceback" not in van.device.log("capture")


def is_sent(van: AttackedDevice) -> bool:
    """Return True if the backend has every record that ever was, by its receipt."""
    states = van.states()
    return all(states.get(name) in SENT for name in van.content)
