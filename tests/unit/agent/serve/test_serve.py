"""`doorstep serve` as a process over mutual TLS: the clients that it admits, and its answers."""

import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.process import control
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.serve.tls import ServerTls
from agent.status import kept
from agent.status.values import QueuePart
from tests.support.authority import YEAR, new_authority
from tests.support.device import REPOSITORY
from tests.support.served import ServingDevice, answered, give_certificate, served

pytestmark = pytest.mark.slow

ROUTES = ("/v1/status", "/v1/captures", "/metrics")

PRIVATE_WORDS = frozenset(b"lat lon stop code seq delivered number".split())
"""Whole words, also between underscores: the trouble "waits_long" has no "lon"."""


@contextmanager
def open_queue(van: ServingDevice) -> Iterator[Outbox]:
    """As capture has it open."""
    with closing(Database(van.device.layout)) as database:
        outbox = Outbox(database, "boot-1")
        outbox.counts()
        yield outbox


def test_listed_client_reads_the_status_the_queue_and_numbers(van: ServingDevice) -> None:
    with open_queue(van):
        status, listed, numbers = (van.ask(route) for route in ROUTES)

    assert [one.status for one in (status, listed, numbers)] == [200, 200, 200]
    assert status.headers["Content-Type"] == "application/json"
    assert status.json["device"] == "van-7"
    assert status.json["queue"]["waiting"] == 3
    assert len(status.body) <= 1_500
    assert [one["state"] for one in listed.json["captures"]].count("PENDING") == 3
    assert numbers.headers["Content-Type"].startswith("text/plain; version=")
    assert b'doorstep_waiting_records{device="van-7"} 3.0' in numbers.body
    assert {one.headers["Cache-Control"] for one in (status, listed, numbers)} == {"no-store"}


def test_status_omits_place_stop_code_and_count(van: ServingDevice) -> None:
    with open_queue(van):
        bodies = b" ".join(van.ask(route).body for route in ROUTES)

    assert PRIVATE_WORDS.isdisjoint(re.findall(rb"[a-z]+", bodies))


@pytest.mark.parametrize("route", [*ROUTES, "/nowhere"])
@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("nobody", "no client certificate was shown"),
        ("ended", "the client certificate ended on "),
        ("van-8", "'van-8' is not among serve.clients in this device's configuration"),
    ],
)
def test_refused_client_reads_the_reason_and_nothing_else(
    van: ServingDevice, client: str, said: str, route: str
) -> None:
    before = datetime.now(UTC) - timedelta(days=2)
    shown: dict[str, Path | None] = {
        "nobody": None,
        "ended": van.client(starts=before, life=timedelta(days=1)),
        "van-8": van.client("van-8"),
    }
    with closing(van.line(shown[client])) as line:
        line.request("GET", route)
        answer = answered(line)

    assert answer.status == 403
    assert list(answer.json) == ["error"]
    assert answer.json["error"].startswith(said)
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_another_fleets_client_is_refused_in_tls(
    van: ServingDevice, version: ssl.TLSVersion
) -> None:
    """The certificate has the right name; the alert says what is wrong, in either version."""
    context = van.context(van.client(by=new_authority("Another fleet")))
    context.minimum_version = context.maximum_version = version

    with pytest.raises(ssl.SSLError, match=r"(?i)alert.unknown.ca"):
        _first_byte(van, context)


def test_certificate_for_servers_is_refused_from_a_client(van: ServingDevice) -> None:
    """Serve's own, and that of every other device that serves."""
    with pytest.raises(ssl.SSLError, match=r"(?i)alert.(unsupported certificate|bad certificate)"):
        _first_byte(van, van.context(van.client(server=True)))


def test_tls_before_1_2_is_not_spoken(van: ServingDevice) -> None:
    context = van.context(van.client_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises((ssl.SSLError, ConnectionError)):
        _first_byte(van, context)
    layout = van.device.layout  # OpenSSL's own settings may refuse it too, or may not
    tls = ServerTls(layout.trust / "serve.pem", layout.serve_keys / "key.pem", van.ca_file)
    assert tls.context().minimum_version is ssl.TLSVersion.TLSv1_2


def _first_byte(van: ServingDevice, context: ssl.SSLContext) -> bytes:
    """Return the answer's first byte: TLS 1.3 checks a client's certificate after its handshake."""
    plain = socket.create_connection(("127.0.0.1", van.port), 10)
    with closing(context.wrap_socket(plain, server_hostname="127.0.0.1")) as line:
        line.sendall(b"GET /v1/status HTTP/1.1\r\n\r\n")
        return line.recv(1)


def test_a_refusal_is_logged_once_and_without_an_end_to_it(van: ServingDevice) -> None:
    for _ in range(3):
        van.ask("/v1/status", client=van.client("van-8"))
        van.ask("/v1/status", client=van.client("van-9"))

    assert len(re.findall("kind=not_listed", van.log())) == 1
    assert "Traceback" not in van.log()


def test_document_has_what_capture_and_sync_say(van: ServingDevice) -> None:
    layout = van.device.layout
    with (
        control.serve(layout.capture_socket, lambda *_: {"ready": True, "quiet": True}),
        control.serve(layout.sync_socket, lambda *_: {"state": "idle"}),
    ):
        told = van.ask("/v1/status").json

    assert (told["capture"], told["sync"]) == ({"ready": True, "quiet": True}, {"state": "idle"})


def test_status_is_what_capture_kept_while_nobody_has_the_queue_open(
    van: ServingDevice,
) -> None:
    """And the list is not to be had; what to do is said."""
    kept.keep_queue(
        van.device.layout, QueuePart(3, 1, 1, 1), datetime(2026, 11, 26, 9, 59, tzinfo=UTC)
    )
    try:
        told, listed = van.ask("/v1/status"), van.ask("/v1/captures")
    finally:
        van.device.layout.status_file.unlink()

    assert told.json["queue"]["waiting"] == 3
    assert told.json["queue"]["as_of"] == "2026-11-26T09:00:00.000Z"
    assert listed.status == 503
    assert listed.json == {"error": "nobody has the queue open; start `doorstep capture`"}


def test_the_ten_lines_of_the_wire_ask_a_device(van: ServingDevice) -> None:
    text = (REPOSITORY / "agent/docs/wire.md").read_text()
    lines = text.split("```python\n")[1].split("```")[0]
    lines = lines.replace("https://van-0042.example.com:8443", van.url)
    lines = lines.replace("dispatch.pem", van.client_file.name)

    told = subprocess.run(
        [sys.executable, "-c", lines], cwd=van.device.folder, capture_output=True, check=True
    )

    assert told.stdout.startswith(b"van-7 [")


def test_serve_ends_at_once_also_while_clients_are_connected(tmp_path: Path) -> None:
    with served(tmp_path / "van") as van:
        waiting = [van.connect(van.client_file) for _ in range(3)]
        began_s = time.monotonic()
        code = van.stop()
        took_s = time.monotonic() - began_s
        for one in waiting:
            one.close()

    assert code == 0
    assert took_s < 2
    assert "Traceback" not in van.log()


def test_a_new_certificate_counts_from_the_next_connection_on(tmp_path: Path) -> None:
    """Renewal writes the file; a corrupt one changes nothing, and is reported once."""
    with served(tmp_path / "van") as van:
        chain = van.device.layout.trust / "serve.pem"
        first = _serial(van)
        give_certificate(van.device.layout, van.authority, YEAR / 2)
        second = _serial(van)
        chain.write_text("spoilt")
        kept_on = [_serial(van) for _ in range(2)]
        told = van.log().count("event=certificate_unusable")
        give_certificate(van.device.layout, van.authority)
        third = _serial(van)

    assert len({first, second, third}) == 3
    assert kept_on == [second, second]
    assert told == 1


def test_a_new_authority_counts_from_the_next_connection_on(tmp_path: Path) -> None:
    with served(tmp_path / "van") as van:
        new = new_authority()
        client = van.client(by=new)
        van.ca_file.write_bytes(van.authority.pem + new.pem)

        assert van.ask("/v1/status", client=client).status == 200


def _serial(van: ServingDevice) -> object:
    with closing(van.connect(van.client_file)) as line:
        return (line.getpeercert() or {})["serialNumber"]


def test_a_clock_that_was_set_back_lets_nobody_in_again(tmp_path: Path) -> None:
    """A time that capture knows to be past counts, whatever the clock says."""
    with served(tmp_path / "van") as van:
        assert van.ask("/v1/status").status == 200
        floor = datetime.now(UTC) + YEAR * 2
        (van.device.layout.trust / "time.json").write_text(
            json.dumps({"floor": f"{floor:%Y-%m-%dT%H:%M:%SZ}", "agreed": None, "allowance": None})
        )

        assert van.ask("/v1/status").status == 403


def test_systemd_hears_that_serve_is_up_and_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with served(tmp_path / "van"):
            said = [heard.recv(100) for _ in range(2)]

    assert said == [b"READY=1", b"WATCHDOG=1"]
