"""A start or a command of the backend that cannot be: a sentence, and nothing is made."""

import socket
from pathlib import Path
from typing import Final

import pytest

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.fleet import FleetDocuments
from tests.support.backend import run_to_end
from tests.support.device import environment

pytestmark = pytest.mark.slow


def test_folder_gets_no_other_database_without_its_own(tmp_path: Path) -> None:
    """Its rows are on PostgreSQL, and the admin who starts it by hand forgot the environment."""
    (tmp_path / "objects.txt").write_text("s3://records?endpoint=http://127.0.0.1:1\n")

    assert "Set DOORSTEP_DATABASE" in why_not(tmp_path)

    assert [one.name for one in tmp_path.iterdir()] == ["objects.txt"]


NOWHERE: Final = "postgresql://postgres@127.0.0.1:1/none"


def test_missing_database_is_reported(tmp_path: Path) -> None:
    assert why_not(tmp_path, "--database", NOWHERE).endswith("Connection refused")


def test_a_command_without_the_database_says_that_it_is_missing(tmp_path: Path) -> None:
    FleetDocuments(tmp_path)  # and keys
    for file in tmp_path.glob("*.db*"):
        file.unlink()

    assert "has no backend.db: " in why_not(tmp_path, "devices", "list")
    assert "Set DOORSTEP_DATABASE" in why_not(tmp_path, "devices", "list")


@pytest.mark.parametrize("is_there", [False, True])
def test_a_command_over_a_folder_without_keys_makes_none(tmp_path: Path, *, is_there: bool) -> None:
    """A folder that is spelled wrong is no second CA over the same rows."""
    data = tmp_path / "new"
    if is_there:
        data.mkdir()

    said = why_not(data, "--database", NOWHERE, "fleet", "publish")

    assert said == f"{data} has no backend in it: is --data right?"
    assert list(tmp_path.rglob("*")) == [data] * is_there


def test_taken_port_is_reported(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        assert f"127.0.0.1:{port} (Address already in use)" in why_not(tmp_path, "--port", port)


@pytest.mark.parametrize("words", [(), ("kept",)], ids=str)
def test_backend_refuses_a_file_as_its_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()

    assert (
        why_not(tmp_path / "file", *words)
        == f"--data: {tmp_path / 'file'} is a file; name a folder"
    )


@pytest.mark.parametrize("words", [(), ("kept",)], ids=str)
def test_file_of_rows_that_is_no_database_is_reported(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "backend.db").write_bytes(b"no database" * 1000)

    assert "is not an SQLite database" in why_not(tmp_path, *words)


def test_server_key_of_another_certificate_is_reported(tmp_path: Path) -> None:
    """As where `certificate` died between the two files."""
    keys.certificates(tmp_path / "ca")
    keys.put_key(tmp_path / "ca" / "server-key.pem", signing.new_key())

    assert "server.pem is not the certificate of server-key.pem" in why_not(tmp_path)


def why_not(data: Path, *words: str) -> str:
    """The last line of a start that ends with 1 and no traceback, on SQLite."""
    with environment(DOORSTEP_DATABASE=""):
        ran = run_to_end(data, *words)
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    return ran.stderr.splitlines()[-1]
