"""A file of the configuration that cannot be read this time ends nothing for good."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from agent.record import signing
from tests.support.device import REPOSITORY, Device, device
from tests.support.est import est_server, required
from tests.support.fleet_documents import fleet_document

pytestmark = pytest.mark.slow

FLEET_KEY = signing.new_key()


@pytest.fixture(scope="module")
def van(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Enrolled, with a queue."""
    folder = tmp_path_factory.mktemp("unread")
    with est_server(folder / "est") as server:
        server.fleet = fleet_document(FLEET_KEY)
        with device(
            folder / "van", **required(server, folder / "van", FLEET_KEY.public_key())
        ) as one:
            enrolled = one.run("enrol", server.url, input="blue-42\n")
            assert enrolled.returncode == 0, enrolled.stderr
            one.run("capture", "--once")
            yield one


def with_error(
    van: Device, file: str, error: str, *words: str
) -> "subprocess.CompletedProcess[str]":
    """A command that finds this file closed by this error each time."""
    assert shutil.which("strace"), "this test needs strace: apt install strace"
    inject = ["-e", "trace=openat", "-e", f"inject=openat:error={error}"]
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", str(van.folder / file), *inject]
    return subprocess.run(
        [*strace, *van.words(*words)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("file", ["fleet-key.pem", "ca.pem"])
@pytest.mark.parametrize(("error", "code"), [("EMFILE", 75), ("EIO", 75), ("EACCES", 2)])
def test_a_start_that_cannot_read_what_is_trusted(
    van: Device, file: str, error: str, code: int
) -> None:
    """systemd starts a process again after any code but 2."""
    assert (van.folder / file).is_file()

    ended = with_error(van, file, error, "sync")

    assert ended.returncode == code, ended.stderr
    assert file in ended.stderr
    assert ("; try again" in ended.stderr) == (code == 75)


def test_a_file_that_is_gone_stays_a_wrong_configuration(van: Device) -> None:
    key = van.folder / "fleet-key.pem"
    key.rename(van.folder / "elsewhere.pem")

    ended = van.run("sync")

    (van.folder / "elsewhere.pem").rename(key)
    assert ended.returncode == 2, ended.stderr
