"""A device dies with its records: from its card to the backend, and the chain holds."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.backend import Backend, running_backend
from tests.support.device import REPOSITORY, Device, device
from tests.support.enrolment import let_in, required, technician
from tests.support.factory import small_disk

pytestmark = pytest.mark.slow


def run(*words: str) -> str:
    """A command of a technician's that ends well; what it printed."""
    command = [sys.executable, "-m", "agent", *words]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def killed(backend: Backend, folder: Path) -> tuple[Path, list[str]]:
    """The card of a device that delivered some and was killed with more; all its records."""
    device_id, token = let_in(backend)
    with small_disk(folder, 64) as disk:
        tables = required(backend) | {"state": {"dir": str(disk), "run_dir": str(folder / "run")}}
        with device(folder / "van", device={"id": device_id}, **tables) as van:
            assert van.run("enrol", backend.base_url, input=token).returncode == 0
            van.start("capture")
            _press(van)
            assert van.run("sync", "--once").returncode == 0
            _press(van)
            _press(van)
            names = [row["capture_id"] for row in van.queue()]
            van.stop("capture", signal.SIGKILL)
            shutil.copyfile(folder / "disk.img", folder / "card.img")
    return folder / "card.img", names


def _press(van: Device) -> None:
    time.sleep(0.7)  # presses within 600 ms count as one
    assert "error" not in van.press()


def configuration(backend: Backend, folder: Path) -> Path:
    identity = {
        "ca": str(backend.ca_file),
        "fleet_key": str(backend.fleet_key_file),
        "technician": str(technician(backend, folder)),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in identity.items()]
    text = "\n".join([f'[backend]\nurl = "{backend.base_url}"\n[identity]', *lines])
    (folder / "technician.toml").write_text(text)
    return folder / "technician.toml"


def test_records_of_a_killed_device_reach_the_backend_and_verify(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.fail("this mounts file systems: run it as root")
    saved = tmp_path / "saved"
    with running_backend(tmp_path / "office", identity=True) as backend:
        image, names = killed(backend, tmp_path)
        told = run("rescue", str(image), "--to", str(saved), "--ca", str(backend.ca_file))
        assert {path.stem for path in saved.glob("*.rec")} == set(names)
        assert "2 of them waiting" in told
        assert "fleet       ours" in told

        config = configuration(backend, tmp_path)
        sent = run("sync", "--from", str(saved), "--config", str(config))

        assert "2 sent, 2 there already, 0 torn, 0 refused, 0 left" in sent
        assert all(backend.received_file(name).exists() for name in names)
        verified = run("verify", str(saved), "--ca", str(backend.ca_file))
        assert "records: 4, chains: 1, with a problem: 0" in verified
