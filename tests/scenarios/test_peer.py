"""Sync against an independent tus server, alone and behind nginx, and the smallest one."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.models import Item, RecordState
from agent.record import signing
from doorstep_backend.identity.authority import Authority
from tests.support.enrolment import kept
from tests.support.network import FaultProxy, Line
from tests.support.sending import DeviceQueue, Sender, device_queue, sender
from tests.support.small_backends import (
    SmallBackend,
    node_backend,
    node_behind_nginx,
    python_backend,
)

pytestmark = pytest.mark.slow

Running = Callable[[Path], AbstractContextManager[SmallBackend]]


@pytest.fixture(scope="module")
def tus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallBackend]:
    with node_backend(tmp_path_factory.mktemp("tus")) as running:
        yield running


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallBackend]:
    with node_behind_nginx(tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallBackend]:
    with python_backend(tmp_path_factory.mktemp("smallest")) as running:
        yield running


@pytest.fixture(params=["tus", "nginx", "smallest"])
def peer(request: pytest.FixtureRequest) -> SmallBackend:
    running: SmallBackend = request.getfixturevalue(request.param)
    return running


@pytest.fixture
def made(tmp_path: Path) -> Iterator[DeviceQueue]:
    with device_queue(tmp_path) as opened:
        yield opened


def drain(sending: Sender, item: Item, turns: int) -> list[str | None]:
    """Steps until the item is delivered, each when it is due; returns what was answered."""
    answers = []
    for _ in range(turns):
        sending.clock.now_s = max(
            sending.device.outbox.get(item.capture_id).due_s, sending.clock.now_s + 300
        )
        sending.sync.step()
        found = sending.device.outbox.get(item.capture_id)
        if found.state is not RecordState.PENDING:
            break
        answers.append(found.answer)
    return answers


def check_arrived(peer: SmallBackend, made: DeviceQueue, item: Item) -> None:
    assert made.state(item) == RecordState.DELIVERED
    assert peer.received_file(item.capture_id).read_bytes() == made.content(item)


def test_fresh_records_take_one_request_each(peer: SmallBackend, made: DeviceQueue) -> None:
    with FaultProxy(("127.0.0.1", peer.port)) as proxy:
        with sender(made, peer, url=f"https://127.0.0.1:{proxy.port}") as sending:
            items = [made.press(300_000) for _ in range(5)]
            for _ in items:
                sending.sync.step()

        for item in items:
            check_arrived(peer, made, item)
        assert {made.outbox.get(item.capture_id).attempts for item in items} == {1}
        assert proxy.connections == 1


@pytest.mark.parametrize("cut_after_bytes", [500, 3000, 150_000, 300_000])
def test_cut_upload_is_resumed(peer: SmallBackend, made: DeviceQueue, cut_after_bytes: int) -> None:
    """In the handshake, in the headers, in the body."""
    item = made.press(600_000)
    with FaultProxy(("127.0.0.1", peer.port)) as proxy:
        proxy.up = Line(cut_after_bytes=cut_after_bytes)
        with sender(made, peer, url=f"https://127.0.0.1:{proxy.port}") as sending:
            sending.sync.step()
            assert made.state(item) == RecordState.PENDING
            proxy.up = Line()
            drain(sending, item, 3)

    check_arrived(peer, made, item)


def test_line_that_is_cut_again_and_again_gets_there(peer: SmallBackend, made: DeviceQueue) -> None:
    """Pieces shrink until one passes: behind a proxy that buffers, a cut piece leaves nothing."""
    item = made.press(700_000)
    with FaultProxy(("127.0.0.1", peer.port)) as proxy:
        proxy.up = Line(cut_after_bytes=150_000)
        with sender(made, peer, url=f"https://127.0.0.1:{proxy.port}") as sending:
            drain(sending, item, 15)

    check_arrived(peer, made, item)


def test_record_over_a_megabyte_passes_a_default_nginx(
    nginx: SmallBackend, made: DeviceQueue
) -> None:
    """Its 413 costs one request more: the same attempt goes on in pieces that fit."""
    item = made.press(1_500_000)
    with sender(made, nginx) as sending:
        sending.sync.step()

    check_arrived(nginx, made, item)


def test_server_with_ids_of_its_own_behind_a_proxy_is_delivered_to(
    tmp_path: Path, made: DeviceQueue
) -> None:
    """Its Location is `http://127.0.0.1:PORT/files/ID`, which no device can reach: path on ours."""
    item = made.press(400_000, adopted=True)
    with (
        node_behind_nginx(tmp_path / "own", own_ids=True) as peer,
        sender(made, peer) as sending,
    ):
        sending.sync.step()

        assert made.state(item) == RecordState.DELIVERED
        url = made.outbox.get(item.capture_id).upload_url or ""
        assert url.startswith(f"{peer.base_url}/files/")
        assert peer.received_file(url.rpartition("/")[2]).read_bytes() == made.content(item)


def shown(made: DeviceQueue, peer: SmallBackend, now: datetime) -> Path:
    """The device's key and a certificate of the peer's authority, from `now` on, in one file."""
    key, device_id = signing.new_key(), made.maker.device_id
    certificate = Authority.of(peer.ca_file.parent).tls(device_id, key.public_key(), now)
    return kept(made.folder, device_id, certificate, key).into(made.layout.sync_keys)


def test_nginx_that_asks_for_it_is_shown_the_certificate(
    nginx: SmallBackend, made: DeviceQueue
) -> None:
    item = made.press(300_000)
    with sender(made, nginx, own=shown(made, nginx, datetime.now(UTC))) as sending:
        sending.sync.step()

    check_arrived(nginx, made, item)
    log = (nginx.data.parent / "nginx/access.log").read_text()
    assert re.search(rf"^POST 201 SUCCESS \S+ CN={made.maker.device_id}$", log, re.MULTILINE)


def test_certificate_that_nginx_finds_expired_loses_no_record(
    nginx: SmallBackend, made: DeviceQueue
) -> None:
    """nginx answers 400 to every request; a new certificate in place of it is used at once."""
    item = made.press(300_000)
    own = shown(made, nginx, datetime.now(UTC) - timedelta(days=400))
    with sender(made, nginx, own=own) as sending:
        sending.sync.step()
        refused = made.outbox.get(item.capture_id)
        shown(made, nginx, datetime.now(UTC))
        drain(sending, item, 1)

    assert refused.state == RecordState.PENDING
    assert "was answered 400" in (refused.answer or "")
    check_arrived(nginx, made, item)
