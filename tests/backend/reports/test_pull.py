"""The output of `pull`, with real servers of devices and with hostile ones."""

import argparse
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.reports.pull import pulled, run
from doorstep_backend.reports.pull_one import common_name, is_address
from doorstep_backend.reports.read import OF_ANOTHER, StatusReport
from doorstep_backend.reports.store import Reports
from tests.support.authority import new_authority
from tests.support.backend import REPOSITORY
from tests.support.rawserver import RawServer, Request, Script, head, raw_server, whole
from tests.support.served import ServingDevice, served

pytestmark = pytest.mark.slow

SHORT_S = 0.5


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingDevice]:
    with served(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawServer]:
    with raw_server(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.fixture
def data(device: ServingDevice, tmp_path: Path) -> Path:
    """Make a backend's folder whose authority is the device's."""
    (tmp_path / "ca").mkdir()
    shutil.copy(device.ca_file, tmp_path / "ca" / "ca.pem")
    FleetDocuments(tmp_path)  # and keys: without any it is nobody's folder
    Register(tmp_path)
    return tmp_path


def asked(device: ServingDevice, address: str, client: str = "dispatch") -> StatusReport | str:
    context = device.context(device.client(client))
    ((_, found),) = pulled([address], context)
    return found


def said(data: Path, device: ServingDevice, *, cert: Path | None = None) -> list[str]:
    options = argparse.Namespace(devices=[device.url], cert=cert or device.client_file, every=None)
    return list(run(options, data))


def test_the_status_comes_with_what_is_wrong(device: ServingDevice) -> None:
    found = asked(device, device.url)

    assert isinstance(found, StatusReport), found
    assert (found.device_id, found.needs[0]) == ("van-7", "capture_stopped")


@pytest.mark.parametrize(
    ("client", "words"),
    [("van-8", "answered 403: 'van-8' is not among"), ("dispatch", "certificate is not valid for")],
    ids=["not listed", "another name"],
)
def test_failed_pull_says_why_there_is_no_status(
    device: ServingDevice, client: str, words: str
) -> None:
    host = "127.0.0.1" if client == "van-8" else "localhost"  # its certificate is for the address

    found = asked(device, f"https://{host}:{device.port}", client)

    assert isinstance(found, str)
    assert words in found


def test_nobody_there_and_another_fleet_are_told_apart(device: ServingDevice) -> None:
    context = ssl.create_default_context(cadata=new_authority().pem.decode())
    addresses = ["https://127.0.0.1:9", device.url]

    (_, nobody), (_, foreign) = pulled(addresses, context)

    assert nobody == "no answer: Connection refused"
    assert str(foreign).startswith("TLS failed: ")


def test_status_that_names_another_device_is_not_believed(tmp_path: Path) -> None:
    """A device holds a certificate of its own name, and may claim any id."""
    with served(tmp_path, device={"id": "van-9"}) as liar:  # its certificate is van-7's
        assert asked(liar, liar.url) == OF_ANOTHER


def slowly(_: Request) -> Iterator[bytes]:
    for letter in head(200, Content_Length=1_000_000):
        yield bytes([letter])
        time.sleep(0.1)


def endlessly(_: Request) -> Iterator[bytes]:
    yield head(200, Content_Length=10_000_000)
    while True:
        yield bytes(100_000)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n"
ODD = "but not as `doorstep serve` does"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (slowly, "no answer within 0.5 s"),
        (endlessly, "answered with more than 8,192 bytes: not as `doorstep serve` does"),
        (lambda _: [], "no answer: it hung up"),
        (lambda _: whole(302, Location="https://127.0.0.1:9/", Connection="close"), ODD),
        (lambda _: [b"\x1b[2J\x07 200 OK\r\n\r\n"], f"answered something, {ODD}"),
        (lambda _: whole(200, b"[" * 8_000), f"answered 200, {ODD}"),
        (lambda _: whole(200, b'[["device", "van-7"]]'), f"answered 200, {ODD}"),
        (lambda _: whole(200, b"{}"), "its certificate names no device"),
        (lambda _: whole(503, b'{"error": "\\u001b[2J busy"}'), "answered 503:  [2J busy"),
        (lambda _: whole(503, b'{"error": 1}'), f"answered 503, {ODD}"),
        (lambda _: whole(503, b'{"error": [1]}'), f"answered 503, {ODD}"),
        (lambda _: [CHUNKED % (b"9" * 30)], f"answered 200, {ODD}"),
    ],
    ids=[
        *("slow", "long", "silent", "redirect", "no-http"),
        *("deep", "list", "nameless", "escapes", "number", "numbers", "chunk"),
    ],
)
def test_hostile_answer_is_described_in_time(
    hostile: RawServer, script: Script, words: str
) -> None:
    def closes(request: Request) -> Iterator[bytes]:
        yield from script(request)
        raise OSError("the end")

    hostile.script = closes
    context = ssl.create_default_context(cafile=hostile.ca_file)

    ((_, found),) = pulled([hostile.base_url], context, SHORT_S)

    assert isinstance(found, str)
    assert words in found
    assert found.isprintable()


def test_only_what_a_device_of_the_register_says_is_kept(device: ServingDevice, data: Path) -> None:
    """TLS knows a certificate as good until its end, whatever the office did since."""
    register, reports = Register(data), Reports(data)

    with pytest.raises(NotDone, match="1 of 1 gave no report"):
        said(data, device)
    assert reports.find("van-7") is None
    register.let_in("van-7")
    register.shut_out("van-7", DeviceState.REVOKED)
    with pytest.raises(NotDone):
        said(data, device)
    assert reports.find("van-7") is None
    register.let_in("van-7")
    (line,) = said(data, device)
    assert line.startswith(f"{device.url}  van-7  ")
    assert reports.find("van-7") is not None


def test_unusable_certificate_is_refused_with_the_remedy(device: ServingDevice, data: Path) -> None:
    for file, words in [(device.ca_file, "`clients add"), (data / "none", "No such file")]:
        with pytest.raises(NotDone, match=words):
            said(data, device, cert=file)


def test_every_so_often_tells_what_is_new_and_ends_at_once(
    device: ServingDevice, data: Path
) -> None:
    """Ctrl-C waits for no device, and needs no traceback."""
    Register(data).let_in("van-7")
    command = [sys.executable, "-m", "doorstep_backend", "--data", str(data), "pull"]
    command += [device.url, "--cert", str(device.client_file), "--every", "1"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as pulling:
        assert pulling.stdout is not None
        assert pulling.stderr is not None
        first, *rounds = (pulling.stdout.readline() for _ in range(3))
        pulling.send_signal(signal.SIGINT)
        assert pulling.wait(5) == -signal.SIGINT
        assert pulling.stderr.read() == ""

    assert "  van-7  " in first
    assert all(
        " UTC  1 asked in " in one and one.endswith(", 0 gave no report\n") for one in rounds
    )


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ({}, ""),
        ({"subject": ()}, ""),
        ({"subject": ((("commonName", "van-7"),),)}, "van-7"),
        ({"subject": ((("commonName", "van-7"), ("commonName", "van-8")),)}, ""),
        ({"subject": ((("organizationName", "van-7"),),)}, ""),
    ],
)
def test_a_certificate_without_one_name_names_no_device(
    subject: dict[str, object], name: str
) -> None:
    assert common_name(subject) == name


@pytest.mark.parametrize("text", ["https://van-7", "https://[::1]:8443/", "https://10.0.0.7:8443"])
def test_an_address_is_a_name_and_perhaps_a_port(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *("http://van-7", "van-7:8443", "https://", "https://:8443", "https://van-7:0"),
        *("https://van-7:70000", "https://van-7/v1/status", "https://van-7?a", "https://van-7#a"),
        *("https://me@van-7", "https://van..7", "https://van-7\r\nA: b", "https://[::1", ""),
        *("https://van 7", "https://" + "a" * 64),
    ],
)
def test_address_with_further_parts_is_refused(text: str) -> None:
    assert not is_address(text)
