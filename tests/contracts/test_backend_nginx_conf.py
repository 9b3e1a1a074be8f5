"""The nginx.conf beside the backend: sizes, its log, connections, and instances that die."""

import base64
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from uuid import uuid4

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from doorstep_backend import keys
from doorstep_backend.api.service import MOST_BYTES
from doorstep_backend.identity.est import MAX_REQUEST_BYTES
from doorstep_backend.pages.auth import LONGEST_FORM_BYTES
from doorstep_backend.serving import BEHIND_PROXY_IDLE_S, IDLE_S
from doorstep_backend.wire.headers import MAX_UPLOAD_BYTES, METADATA_LIMIT
from doorstep_backend.wire.questions import MAX_QUESTION_BYTES
from tests.support import nginx
from tests.support.backend import Backend
from tests.support.enrolment import EnrolledDevice, enrolled_beside, expired
from tests.support.factory import RecordMaker, new_id
from tests.support.instances import address, instance, port_of, raw
from tests.support.waiting import until
from tests.support.wire import VERSION, announce, begun_post, record, tls_line

pytestmark = pytest.mark.slow

# --- sizes


def test_the_longest_headers_of_the_wire_pass_both_ways(proxied: EnrolledDevice) -> None:
    """Among them one that is longer than 8 KB: no device has it, and the instance takes it."""
    content = record(proxied.maker, capture_id := new_id())
    said = announce(capture_id, content)
    more = METADATA_LIMIT - len(said["Upload-Metadata"])
    said["Upload-Metadata"] += " " * (more - 1) + ","
    headers = VERSION | said | {"Doorstep-Status": "x" * 2000, "X-Long": "x" * 9000}
    wire = proxied.wire()

    answer = wire.session.post(f"{wire.base_url}/files", headers=headers, timeout=10)
    head = wire.head(capture_id)

    assert answer.status_code == 201
    assert head.status_code == 200
    assert len(head.headers["Upload-Metadata"]) > METADATA_LIMIT - 10


def test_a_body_is_as_long_as_the_longest_upload_and_no_longer(proxied: EnrolledDevice) -> None:
    """Nobody began this one: an instance that is asked says so."""
    wire, unknown = proxied.wire(), new_id()

    longest = wire.patch(unknown, 0, bytes(MAX_UPLOAD_BYTES))
    longer = proxied.wire().patch(unknown, 0, bytes(MAX_UPLOAD_BYTES + 1))

    assert (longest.status_code, longer.status_code) == (404, 413)


def test_limits_of_bodies_are_those_of_an_instance() -> None:
    lines = nginx.CONFIGURATION.read_text()
    units, found = {"k": 2**10, "m": 2**20}, {}
    for path, said in re.findall(r"location (/\S*) \{(.*?)\n        \}", lines, re.DOTALL):
        sizes = re.findall(r"client_max_body_size (\d+)([km]);", said)
        found[path] = [int(number) * units[unit] for number, unit in sizes]

    assert found == {
        "/files": [MAX_UPLOAD_BYTES],
        "/receipts": [],
        "/api/": [MOST_BYTES],
        "/pages": [LONGEST_FORM_BYTES],
    }
    assert "\n        client_max_body_size 16k;" in lines
    assert MAX_QUESTION_BYTES == MAX_REQUEST_BYTES == 16 * 2**10


def test_form_that_is_too_long_is_refused_before_it_is_sent(behind: Backend) -> None:
    longest = [f"Content-Length: {LONGEST_FORM_BYTES + 1}"]

    assert raw(behind, "POST /pages/sign-in", longest) == 413


# --- strangers


def held(backend: Backend, folder: Path, *addresses: str) -> list[int]:
    """Return the statuses of the last requests of these, each while those before it wait.

    nginx takes the address from a header here; it has one connection of each family to hold.
    """
    ca = keys.certificates(backend.data / "ca")

    def configured(text: str) -> str:
        two = re.sub(r"limit_conn strangers \d+", "limit_conn strangers 2", text)
        return two.replace(
            "include listen.conf;",
            "include listen.conf; set_real_ip_from 127.0.0.1; real_ip_header X-Address;",
        )

    form = "Content-Length: 9\r\nExpect: 100-continue"
    with (
        nginx.before([address(backend)], ca, folder / "limited", configured) as url,
        ExitStack() as lines,
    ):
        statuses = []
        for one in addresses:
            line = lines.enter_context(tls_line(int(url.rpartition(":")[2]), backend.ca_file))
            said = f"POST /pages/sign-in HTTP/1.1\r\nHost: x\r\nX-Address: {one}\r\n{form}\r\n\r\n"
            line.sendall(said.encode())
            statuses.append(int(line.recv(4096).split(b" ")[1]))
    return statuses


@pytest.mark.parametrize(
    ("addresses", "statuses"),
    [
        (["192.0.2.1"] * 3 + ["192.0.2.2"], [100, 100, 503, 100]),
        (
            ["2001:db8::1", "2001:db8::2:0:0:2", "2001:db8::3", "2001:db8:0:1::1"],
            [100, 100, 503, 100],
        ),
        (["::ffff:192.0.2.1"] * 3 + ["::ffff:192.0.2.2"], [100, 100, 503, 100]),
    ],
    ids=["IPv4", "IPv6", "IPv4 on a socket of IPv6"],
)
def test_strangers_are_counted_by_their_network(
    behind: Backend, tmp_path: Path, addresses: list[str], statuses: list[int]
) -> None:
    assert held(behind, tmp_path, *addresses) == statuses


def test_device_has_eight_requests_at_once_and_strangers_do_not_count(
    proxied: EnrolledDevice, behind: Backend
) -> None:
    content = record(proxied.maker, capture_id := new_id())
    port, said = port_of(behind), announce(capture_id, content)
    with ExitStack() as lines:
        for files in [None] * 12 + [proxied.identity.files] * 8:
            lines.enter_context(begun_post(port, behind.ca_file, said, b"x", files))
        full = proxied.get().status_code
        other = enrolled_beside(behind.data, proxied.folder, f"van-{uuid4()}")

        assert full == 503
        assert proxied.get(identity=other).status_code == 200


def test_nothing_is_kept_of_a_body_whose_certificate_is_faulty(
    behind: Backend, tmp_path: Path
) -> None:
    """Answered without a byte of it."""
    slept, body = expired(behind, tmp_path), ["Content-Length: 100000000"]

    assert raw(behind, f"PATCH /files/{new_id()}", body, slept) == 403


def test_nothing_is_left_of_a_cut_post_and_pieces_bring_it_in(
    proxied: EnrolledDevice, behind: Backend
) -> None:
    content = record(proxied.maker, capture_id := new_id())
    said = announce(capture_id, content)
    half = len(content) // 2
    wire, port, ended = proxied.wire(), port_of(behind), log_of(behind).count(" POST 4")
    with begun_post(port, behind.ca_file, said, content[:half], proxied.identity.files):
        meanwhile = {wire.head(capture_id).status_code for _ in range(20)}
    until(lambda: log_of(behind).count(" POST 4") > ended)

    statuses = [wire.head(capture_id).status_code, wire.post(capture_id, content).status_code]
    statuses.append(wire.patch(capture_id, 0, content[:half]).status_code)
    last = wire.patch(capture_id, half, content[half:])

    assert meanwhile == {404}
    assert [*statuses, last.status_code] == [404, 201, 204, 204]
    assert "Doorstep-Receipt" in last.headers


def log_of(behind: Backend) -> str:
    """Return nginx's log of requests."""
    return (behind.data.parent / "nginx" / "access.log").read_text()


def test_no_id_and_no_metadata_is_in_its_log(proxied: EnrolledDevice, behind: Backend) -> None:
    content = record(proxied.maker, capture_id := new_id())
    wire = proxied.wire()
    wire.post(capture_id, content, content)
    wire.head(capture_id)
    log = log_of(behind)

    assert " POST 201 " in log
    assert " HEAD 200 " in log
    assert capture_id not in log
    assert base64.b64encode(capture_id.encode()).decode() not in log


# --- connections to the instances


def test_connections_to_the_instance_are_kept(proxied: EnrolledDevice, behind: Backend) -> None:
    """By each of nginx's workers."""
    before = behind.counts().handshakes
    for _ in range(40):
        assert proxied.get().status_code == 200

    assert behind.counts().handshakes - before <= 20


def test_the_instance_keeps_a_connection_longer_than_a_browsers(behind: Backend) -> None:
    """If it was closed, the second request gets no answer."""
    with closing(HTTPConnection("127.0.0.1", behind.port, timeout=10)) as line:
        for pause_s in (IDLE_S + 2, 0):
            line.request("OPTIONS", "/files")
            line.getresponse().read()
            assert line.sock is not None, "it would connect anew"
            time.sleep(pause_s)


def test_nginx_ends_an_idle_connection_before_the_instance_does() -> None:
    (kept_s,) = re.findall(r"keepalive_timeout (\d+)s;", nginx.CONFIGURATION.read_text())

    assert int(kept_s) + 10 <= BEHIND_PROXY_IDLE_S


# --- instances that die


ALWAYS_FIRST = "weight=1000 max_fails=0"
"""nginx would leave it out for 10 s, and ask the others meanwhile."""


@contextmanager
def dying() -> Iterator[tuple[str, list[bytes]]]:
    """An instance that takes a request and ends; its address, and what it was asked."""
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                heard.append(line.recv(65_536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def van_before(live: Backend, others: list[str], folder: Path) -> Iterator[EnrolledDevice]:
    """A device that asks one instance, and others beside it, through an nginx of its own."""
    ca = keys.certificates(live.data / "ca")
    maker = RecordMaker(device_id=f"van-{uuid4()}")
    identity = enrolled_beside(live.data, folder, maker.device_id, maker.key)
    with ExitStack() as opened:
        instances = [*others, address(live)]
        live.base_url = opened.enter_context(nginx.before(instances, ca, folder / "nginx"))
        yield EnrolledDevice(live, folder, identity, maker, opened)


def test_harmless_request_is_repeated_if_its_instance_died(
    tmp_path: Path,
) -> None:
    with (
        dying() as (gone, heard),
        instance(tmp_path / "backend") as live,
        van_before(live, [f"{gone} {ALWAYS_FIRST}"], tmp_path) as van,
    ):
        wire = van.wire()
        posts = [van.send(wire).status_code for _ in range(4)]
        patches = [patched(van) for _ in range(4)]
        receipts = [wire.receipts(new_id()).status_code for _ in range(4)]
        asked_again = {one.split(b"/")[0] for one in heard}
        form = {"form": "x", "who": "x", "password": "x"}
        forms = [
            wire.session.post(f"{wire.base_url}/pages/sign-in", form, timeout=10).status_code
            for _ in range(4)
        ]

    assert posts == [201] * 4
    assert patches == [204] * 4
    assert receipts == [200] * 4
    assert asked_again == {b"POST ", b"PATCH "}
    assert forms == [502] * 4


def patched(van: EnrolledDevice) -> int:
    """The status of an upload in one piece."""
    content = record(van.maker, capture_id := new_id())
    wire = van.wire()
    assert wire.post(capture_id, content).status_code == 201
    status: int = wire.patch(capture_id, 0, content).status_code
    return status


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_both_of_two_instances_are_asked_and_one_that_ends_is_not_missed(
    tmp_path: Path, how: signal.Signals
) -> None:
    with (
        instance(tmp_path / "backend") as live,
        instance(tmp_path / "backend") as other,
        van_before(live, [address(other)], tmp_path) as van,
    ):
        both = [van.get().status_code for _ in range(10)]
        counts = [requests_of(live), requests_of(other)]
        other.stop(how)
        one = [van.get().status_code for _ in range(10)]
        sent = [van.send(van.wire()).status_code for _ in range(4)]

    assert both + one == [200] * 20
    assert sent == [201] * 4
    assert min(counts) >= 3


def requests_of(backend: Backend) -> int:
    """Return the number of devices' requests, as the instance counted them."""
    found = requests.get(f"http://{address(backend)}/counts", timeout=10).json()["requests"]
    assert isinstance(found, int)
    return found


# --- health


HEALTH = ["/healthz", "/readyz", "//healthz", "/%68ealthz", "/healthz%0A", "/x/../readyz"]


@pytest.mark.parametrize("path", HEALTH)
def test_health_is_not_offered_through_nginx(proxied: EnrolledDevice, path: str) -> None:
    """Nor for an expired certificate, which nginx passes on without a look."""
    behind, slept = proxied.backend, expired(proxied.backend, proxied.folder)
    asked = f"GET {path}"

    assert [raw(behind, asked, [], one) for one in (None, proxied.identity)] == [404, 404]
    assert raw(behind, asked, [], slept) in {403, 404}


def test_proxy_reads_health_and_readiness(behind: Backend) -> None:
    for path in ("/healthz", "/readyz"):
        answer = requests.get(f"http://{address(behind)}{path}", timeout=10)
        assert (answer.status_code, answer.text) == (200, "ok\n")
