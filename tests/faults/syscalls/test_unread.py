"""A file of the configuration that cannot be read this time ends nothing for good."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.record import signing
from tests.support.authority import new_authority
from tests.support.device import REPOSITORY, Device, empty_queue

FILES = ("fleet-key.pem", "ca.pem")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "error", "code"),
    [
        *((file, "EMFILE", 75) for file in FILES),
        *((file, "EIO", 75) for file in FILES),
        *((file, "EACCES", 2) for file in FILES),
        ("fleet-key.pem", "ENOENT", 2),
    ],
)
def test_a_start_that_cannot_read_what_is_trusted(
    tmp_path: Path, file: str, error: str, code: int
) -> None:
    """systemd starts a process again after any code but 2."""
    assert shutil.which("strace"), "this test needs strace: apt install strace"
    (tmp_path / "ca.pem").write_bytes(new_authority().pem)
    (tmp_path / "fleet-key.pem").write_bytes(signing.public_pem(signing.new_key().public_key()))
    identity = {"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"}
    van = Device(tmp_path, identity=identity, backend={"receipt_keys": []})
    empty_queue(tmp_path)
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(tmp_path / file)]
    strace += ["-e", "trace=openat", "-e", f"inject=openat:error={error}"]

    ended = subprocess.run(
        [*strace, *van.words("sync")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == code, ended.stderr
    assert file in ended.stderr
    assert ("; try again" in ended.stderr) == (code == 75)
