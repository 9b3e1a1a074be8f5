"""A press and its evidence through real processes: device, backend, `doorstep verify`."""

import hashlib
import re
from pathlib import Path

import pytest

from doorstep_backend.identity.register import Register
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store
from tests.support.backend import running_backend
from tests.support.device import device
from tests.support.enrolment import required
from tests.support.sealed import IDENTITY_FILE

pytestmark = pytest.mark.slow

WORLD = "[[at]]\npress = 1\ndoor = 1\n"


def test_a_press_comes_out_as_evidence_that_verifies(tmp_path: Path) -> None:
    with (
        running_backend(tmp_path / "backend", identity=True) as backend,
        device(tmp_path / "van", WORLD, **required(backend)) as van,
    ):
        enrolled = van.run("enrol", backend.base_url, input=Register(backend.data).let_in("van-7"))
        assert enrolled.returncode == 0, enrolled.stderr
        van.start("capture")
        pressed = van.press()
        capture_id = pressed["label"]["capture_id"]
        van.run("sync", "--once")
        out = tmp_path / "evidence"

        said = backend.command("export-evidence", capture_id, "--out", str(out), "--opened")

        assert said == f"written: {out}\nIt is whole.\n"
        identity = tmp_path / "identity.txt"
        identity.write_text(IDENTITY_FILE)
        given = {"identity": identity, "ca": backend.ca_file, "fleet-key": backend.fleet_key_file}
        options = [word for name, path in given.items() for word in (f"--{name}", str(path))]
        verified = van.run("verify", str(out), *options)
        assert verified.returncode == 0, verified.stdout
        assert "; received " in verified.stdout
        assert "(by its certificate)" in verified.stdout
        open_ones = re.findall("not checked: (.*)", verified.stdout)
        assert open_ones[:-1] == [
            "fleet.jws, neighbours.json, opened, view-log.json: not signed, or not needed"
        ]
        digest = pressed["record"]["photo"]["sha256"]
        assert hashlib.sha256((out / "opened/photo.jpg").read_bytes()).hexdigest() == digest
        office = open_office(Store(backend.data))
        assert office.filing.original(capture_id).sha256 == digest
