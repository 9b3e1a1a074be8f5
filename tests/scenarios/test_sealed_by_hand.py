"""A record of a real press, opened with the tools of any Debian and either of the identities."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.support.device import device
from tests.support.sealed import ESCROW, OFFICE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("identity", [OFFICE, ESCROW])
def test_tail_age_and_tar_open_a_sealed_record(tmp_path: Path, identity: str) -> None:
    (tmp_path / "IDENTITY").write_text(identity)
    with device(tmp_path / "van", "") as van:
        van.start("capture")
        reply = van.press()
    record = van.layout.record(reply["label"]["capture_id"])
    opened = tmp_path / "opened"
    opened.mkdir()

    pipe = f"set -o pipefail; tail -n +2 {record} | age -d -i {tmp_path}/IDENTITY | tar xv"
    ran = subprocess.run(
        ["bash", "-c", pipe], cwd=opened, capture_output=True, text=True, check=False
    )

    assert (ran.stdout.split(), ran.stderr) == (["record.json", "photo.jpg"], "")
    told = json.loads((opened / "record.json").read_text())
    photo = (opened / "photo.jpg").read_bytes()
    assert told == reply["record"]
    assert told["photo"]["sha256"] == hashlib.sha256(photo).hexdigest()
