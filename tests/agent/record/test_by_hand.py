"""The page for whoever has no `doorstep`: its commands, as they stand there, on a real record."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from agent.trust.store import TrustStore
from tests.backend.identity.register import Register
from tests.backend.process import Backend, running_backend
from tests.backend.wire.store import Store
from tests.support.device import REPOSITORY, Device, device
from tests.support.enrolment import required
from tests.support.sealed import IDENTITY_FILE

pytestmark = pytest.mark.slow

PAGE: Final = (REPOSITORY / "agent/record/README.md").read_text()
COMMANDS: Final = re.findall(
    r"^ *```sh\n(.*?)^ *```$", PAGE.partition("## One photo")[2], re.DOTALL | re.MULTILINE
)
"""The tools, then one block for each step but the ninth, which needs another program."""

WORLD: Final = "[[at]]\npress = 1\ndoor = 1\n"


class Delivery:
    """One photo on its way: a simulated device, enrolled at the reference backend."""

    def __init__(self, folder: Path, backend: Backend, van: Device) -> None:
        self.backend, self.folder = backend, folder
        self.label = van.press()["label"]
        ended = van.run("sync", "--once")
        assert ended.returncode == 0, ended.stderr
        folder.mkdir()
        self.record = backend.received_file(self.label["capture_id"])
        shutil.copy(self.record, folder / "photo.rec")
        shutil.copy(backend.ca_file, folder / "fleet-ca.pem")
        shutil.copy(backend.fleet_key_file, folder / "fleet-key.pem")
        shutil.copy(backend.data / "revoked.jws", folder)
        (folder / "device.pem").write_bytes(TrustStore(van.layout).evidence() or b"")
        (folder / "identity.txt").write_text(IDENTITY_FILE)
        verdict = Store(backend.data).verdict(self.label["capture_id"])
        assert verdict is not None
        (folder / "receipt.jws").write_text(f"{verdict.jws}\n")

    def by_hand(self) -> tuple[int, list[list[str]]]:
        """What each step prints."""
        script = "\necho '== step'\n".join(COMMANDS)
        command = ["sh", "-eu", "-c", script]
        told = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        steps = told.stdout.split("== step\n")[1:]
        return told.returncode, [step.splitlines() for step in steps]


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    folder = tmp_path_factory.mktemp("by-hand")
    with (
        running_backend(folder / "backend", identity=True) as backend,
        device(folder / "van", WORLD, **required(backend)) as van,
    ):
        token = Register(backend.data).let_in("van-7")
        enrolled = van.run("enrol", backend.base_url, input=token)
        assert enrolled.returncode == 0, enrolled.stderr
        van.start("capture")
        yield Delivery(folder / "photo", backend, van)


def test_the_page_checks_a_photo_of_a_real_device(delivery: Delivery) -> None:
    code, steps = delivery.by_hand()
    certificate, label, key, body, inside, exif, listed, receipt, chain = steps
    said: dict[str, Any] = json.loads(label[1])
    record = json.loads(inside[1])

    assert code == 0
    assert certificate == ["device.pem: OK", "subject=CN=van-7"]
    assert (label[0], said) == ("Verified OK", delivery.label)
    assert key[0] == json.loads(key[1])["kid"]
    assert body[0].split()[0] == said["body"]["sha256"]
    assert inside[0].split()[0] == record["photo"]["sha256"]
    assert exif[0].split()[-1] == said["capture_id"].replace("-", "")
    assert exif[1].split()[-1] == "van-7"
    assert listed[0] == receipt[0] == "Verified OK"
    assert json.loads(listed[1])["revoked"] == []
    assert json.loads(receipt[1])["sha256"] == receipt[2].split()[0]
    line = delivery.record.read_bytes().partition(b"\n")[0]
    assert chain[0].split()[0] == sha256(line).hexdigest()


def test_doorstep_verify_says_the_same(delivery: Delivery, tmp_path: Path) -> None:
    """With the backend's own list, receipt, certificate and authority."""
    folder = tmp_path / "evidence"
    (folder / "receipts").mkdir(parents=True)
    for name in ("device.pem", "fleet-ca.pem"):
        shutil.copy(delivery.folder / name, folder)
    shutil.copy(delivery.record, folder)
    shutil.copy(delivery.folder / "receipt.jws", folder / "receipts")
    shutil.copy(delivery.folder / "revoked.jws", folder)
    given = {"ca": delivery.backend.ca_file, "fleet-key": delivery.backend.fleet_key_file}
    given["identity"] = delivery.folder / "identity.txt"
    words = [word for name, path in given.items() for word in (f"--{name}", str(path))]
    told = Device(tmp_path / "elsewhere").run("verify", str(folder), *words, "--json")

    (record,) = json.loads(told.stdout)["records"]
    assert record["words"][0] == "it says that a part of its device was simulated"
    assert record["verdict"] == "holds with remarks", told.stdout
    assert [each for each in record["words"] if each.startswith("received ")]
    assert json.loads(told.stdout)["not_checked"] == [
        "whether records are missing at the end of a chain: no folder can show that"
    ]


@pytest.mark.parametrize("place", [300, 700])
def test_by_hand_an_altered_label_does_not_verify(
    delivery: Delivery, tmp_path: Path, place: int
) -> None:
    shutil.copytree(delivery.folder, tmp_path / "photo")
    file = tmp_path / "photo/photo.rec"
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)
    command = ["sh", "-eu", "-c", "\n".join(COMMANDS[:3])]
    told = subprocess.run(
        command, cwd=tmp_path / "photo", capture_output=True, text=True, check=False
    )

    assert told.returncode != 0
    assert "Verified OK" not in told.stdout


def test_by_hand_another_fleets_certificate_does_not_verify(
    delivery: Delivery, tmp_path: Path
) -> None:
    shutil.copytree(delivery.folder, tmp_path / "photo")
    other = tmp_path / "photo/fleet-ca.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", "/dev/null", "-subj", "/CN=another", "-out", str(other)]
    subprocess.run(command, check=True, capture_output=True)
    told = subprocess.run(
        ["sh", "-eu", "-c", COMMANDS[1]],
        cwd=tmp_path / "photo",
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode != 0
    assert "device.pem: OK" not in told.stdout
