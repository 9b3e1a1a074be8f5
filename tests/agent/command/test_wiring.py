"""How a process is put together: lock, sweep, key, devices, chain; and taken apart again."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.command import wiring
from agent.config import load
from agent.errors import ConfigError, NotGenuine, NotNow, StorageFault
from agent.queue.disk import lock
from agent.queue.paths import Layout
from agent.record import signing
from hardware.errors import DeviceError, DeviceMissing, ScriptError
from tests.support.benchtop import Parts, bench
from tests.support.device import REPOSITORY, Device
from tests.support.factory import queue


def test_a_device_makes_its_key_at_the_first_start_and_keeps_it(tmp_path: Path) -> None:
    with bench(tmp_path) as device:
        path = device.layout.keys / "device.pem"
        first = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
        (opened,) = device.all_opened()
    with bench(tmp_path):
        assert path.read_bytes() == first

    assert mode == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert opened.key == signing.read_private_key(path).public_key()


def test_a_key_that_is_no_key_is_told_and_not_replaced(tmp_path: Path) -> None:
    """A new one would begin a new chain, and the old one may still be mended."""
    with bench(tmp_path) as device:
        path = device.layout.keys / "device.pem"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\n")

    with (
        pytest.raises(StorageFault, match=r"device\.pem: not a usable private key"),
        bench(tmp_path),
    ):
        pass
    assert path.read_bytes() == b"-----BEGIN PRIVATE KEY-----\n"


def test_a_device_that_does_not_open_leaves_no_lock_and_no_chain(tmp_path: Path) -> None:
    class Broken(Parts):
        def open(self, *_: object) -> None:  # type: ignore[override]  # it never returns
            raise DeviceMissing("camera.device: no camera 0")

    with pytest.raises(DeviceError, match=r"camera\.device"), bench(tmp_path, Broken()):
        pass
    layout, database, outbox = queue(tmp_path)

    with lock(layout.capture_lock, exclusive=True, wait=False):
        assert outbox.items(None, 0, 10) == []
    database.close()


def test_a_process_that_ended_leaves_neither_lock_nor_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with bench(tmp_path) as device:
        device.press()

    with lock(device.layout.capture_lock, exclusive=True, wait=False):
        pass
    assert set(threading.enumerate()) == before


def test_a_state_folder_that_cannot_be_made_is_a_disk_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with (
        pytest.raises(StorageFault, match="cannot make"),
        bench(tmp_path, state={"dir": "file/state"}),
    ):
        pass


def test_other_processes_wait_for_the_queue_that_capture_makes(tmp_path: Path) -> None:
    config = load(Device(tmp_path).config)

    with wiring.queue(config) as outbox, pytest.raises(NotNow, match="start `doorstep capture`"):
        outbox.counts()


def test_receipt_keys_go_by_their_thumbprint(tmp_path: Path) -> None:
    config = load(Device(tmp_path).config)
    key = signing.read_public_key(tmp_path / "receipt-key.pem")

    assert wiring.receipt_keys(config) == {signing.thumbprint(key): key}


def test_files_that_the_configuration_names_are_read_when_it_is_checked(tmp_path: Path) -> None:
    device = Device(tmp_path, "[[at]]\n")
    with pytest.raises(ScriptError):
        wiring.check(load(device.config))

    device.set_world("")
    wiring.check(load(device.config))
    (tmp_path / "receipt-key.pem").write_bytes(b"no key")
    with pytest.raises(ConfigError, match=r"receipt-key\.pem"):
        wiring.check(load(device.config))


BECOME_OWNER = """
import os, sys
from pathlib import Path
from agent import wiring
wiring.become_owner(wiring.Layout(Path(sys.argv[1]), Path(sys.argv[2])))
print(os.geteuid(), os.getegid(), os.getgroups())
"""


@pytest.mark.slow
def test_as_root_a_command_goes_on_as_the_owner_of_the_queue(tmp_path: Path) -> None:
    """Else files of root's get into the state, and the capture process stumbles over them."""
    if os.geteuid() != 0:
        pytest.fail("only root can become somebody else; run this test as root")
    layout, database, _ = queue(tmp_path)
    database.close()
    owner = 54_321  # nobody's, as on a card of another machine
    os.chown(layout.database, owner, owner)

    told = subprocess.run(
        [sys.executable, "-c", BECOME_OWNER, layout.state, layout.run],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == f"{owner} {owner} [{owner}]\n"


def test_where_root_owns_the_queue_root_stays_root(tmp_path: Path) -> None:
    layout, database, _ = queue(tmp_path)
    database.close()
    before = os.geteuid()

    wiring.become_owner(layout)
    wiring.become_owner(Layout(tmp_path / "nowhere", tmp_path / "run"))

    assert os.geteuid() == before


@pytest.mark.parametrize("error", [NotGenuine, NotNow, StorageFault, ConfigError])
def test_every_failure_told_in_words_has_an_exit_code_of_the_contract(
    error: type[NotGenuine | NotNow | StorageFault | ConfigError],
) -> None:
    assert error.exit_code in {2, 65, 70, 75}
