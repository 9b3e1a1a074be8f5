"""The files of keys, which several processes may write and read at once."""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.authority import Authority
from doorstep_backend.identity.names import names_in
from doorstep_backend.settings import WrongSettingError
from tests.support.backend import REPOSITORY

TIMES = 200


def again_and_again(act: Callable[[], object]) -> None:
    for _ in range(TIMES):
        act()


def at_once(act: Callable[[], object]) -> None:
    """Run this in two processes at once, and raise the exception of either."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as two:
        for one in [two.submit(again_and_again, act) for _ in range(2)]:
            one.result()


def test_a_file_may_be_replaced_by_two_at_once(tmp_path: Path) -> None:
    path = tmp_path / "given.txt"

    at_once(partial(keys.write_whole, path, b"content", mode=0o600))

    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, b"content")]


def test_first_certificates_have_the_names_and_no_end(tmp_path: Path) -> None:
    """The CA's names differ: else a client that trusts two would try the wrong one."""
    made = keys.certificates(tmp_path / "ca", ["café.example", "10.0.0.5"])

    ca = Authority.of(made.folder).certificate
    server = x509.load_pem_x509_certificate(made.chain_file.read_bytes())
    server.verify_directly_issued_by(ca)
    assert names_in(server) == {"xn--caf-dma.example", "10.0.0.5", *keys.HOSTS}
    assert {one.not_valid_after_utc.year for one in (ca, server)} == {3000}
    kind = x509.BasicConstraints
    assert [one.extensions.get_extension_for_class(kind).value.ca for one in (ca, server)] == [
        True,
        False,
    ]
    assert Authority.new().certificate.subject != ca.subject


@pytest.mark.parametrize("name", ["a..b", "", "a b", "http://x", "x:8443", "-a", "a\nb"])
def test_a_name_that_no_certificate_can_have_is_a_wrong_setting(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongSettingError, match=r"^--name: .* is no host name"):
        keys.certificates(tmp_path / "ca", [name])

    assert not (tmp_path / "ca" / "ca.pem").exists()


def test_the_public_half_is_written_where_it_is_another_one_alone(tmp_path: Path) -> None:
    """A command beside a start only reads it."""
    private, public = tmp_path / "receipt.pem", tmp_path / "receipt-key.pem"
    key = keys.receipt_key(private, public)()
    made = public.stat()

    keys.receipt_key(private, public)
    again = public.stat()
    keys.put_key(private, signing.new_key())
    keys.receipt_key(private, public)

    assert (made.st_ino, made.st_mtime_ns) == (again.st_ino, again.st_mtime_ns)
    assert public.read_bytes() != signing.public_pem(key.public_key())


def test_lock_of_a_folder_admits_one_process_at_a_time(tmp_path: Path) -> None:
    counted = tmp_path / "counted"
    counted.write_text("0")

    at_once(partial(count, counted))

    assert int(counted.read_text()) == 2 * TIMES


def count(counted: Path) -> None:
    with keys.alone(counted.parent):
        counted.write_text(str(int(counted.read_text()) + 1))


PUT = """
import sys
from pathlib import Path
from agent.record import signing
from doorstep_backend import keys
keys.put_key(Path(sys.argv[1]), signing.new_key())
"""


@pytest.mark.slow
def test_a_key_is_on_the_disk_before_its_name_and_that_before_it_is_gone_by(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    trace = ["strace", "-y", "-o", str(calls), "-e", "trace=fsync,rename"]
    words = [*trace, sys.executable, "-c", PUT, str(tmp_path / "receipt.pem")]

    subprocess.run(words, cwd=REPOSITORY, check=True, timeout=60)

    said = [one for one in calls.read_text().splitlines() if str(tmp_path) in one]
    assert [one.partition("(")[0] for one in said] == ["fsync", "rename", "fsync"]
    assert f"<{tmp_path}/receipt.pem." in said[0]
    assert f"<{tmp_path}>" in said[2]
