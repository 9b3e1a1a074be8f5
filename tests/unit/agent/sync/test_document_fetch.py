"""Fetching a document: asked for cheaply, whatever comes back, never in the way of records."""

import base64
import itertools
import json
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from agent.command.capture_process import answer as capture_answers
from agent.config import BackendSettings
from agent.models import Kind
from agent.process import control
from agent.queue.paths import Layout
from agent.record import signing
from agent.rule import manifest
from agent.rule.manifest import Manifest
from agent.status.document import LIMIT_BYTES
from agent.sync.document_fetch import MANIFEST_EVERY_S as EVERY_S
from agent.sync.document_fetch import WANTED_EVERY_S, Document, DocumentFetch
from agent.sync.hindrance import Reach
from agent.wire.http import Backend
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.manifest import sign as sign_manifest
from doorstep_backend.wire.store import Store
from hardware.clock import BUILT, ClockSource
from tests.support import device as devices
from tests.support.backend import Backend as BackendProcess
from tests.support.backend import running_backend
from tests.support.benchtop import Bench, Parts, bench
from tests.support.card import full
from tests.support.demo_office import PICTURE
from tests.support.factory import RecordMaker, small_disk
from tests.support.filed import await_filed
from tests.support.fleet import ALLOWED, SIGNED, fleet_device, reason, stored
from tests.support.rawserver import RawServer, head, raw_server, whole
from tests.support.roads import payload_of, signed
from tests.support.sending import QUICK, device_queue, sender
from tests.support.wire import speaking_to

TOKEN: Final = signed(payload_of(ALLOWED))
TAG: Final = '"7-abc"'
PORTAL: Final = b"<html><title>Free Wi-Fi</title><form action=/login>Accept</form></html>"

STRANGE_ANSWERS: Final = {
    "a captive portal": PORTAL,
    "megabytes": b"A" * 5_000_000,
    "megabytes like a token": b".".join([b"e30" * 400_000, b"e30" * 400_000, b"A" * 86]),
    "NULs": bytes(1000),
    "nothing": b"",
    "another's token": signed(payload_of(SIGNED) | {"device_id": "dev-2"}).encode(),
    "another key": signed(payload_of(SIGNED), key=signing.new_key()).encode(),
    "another type": signed(payload_of(SIGNED), typ="doorstep-receipt").encode(),
    "cut short": TOKEN[:-7].encode(),
}


@dataclass
class Rig:
    """A device with its route in hand, and a server that answers whatever the test wants."""

    device: Bench
    server: RawServer
    fetch: DocumentFetch
    now_s: float = 1000.0

    def ask(self, answer: Iterable[bytes]) -> dict[str, str]:
        """Let it be time, and the server answer; returns the headers of what was asked."""
        pieces = list(answer)
        self.server.script = lambda _: pieces
        self.now_s += 2 * EVERY_S
        self.fetch.turn(self.now_s)
        return self.server.requests[-1].headers


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with (
        raw_server(tmp_path) as server,
        fleet_device(tmp_path / "device") as road,
        answering(road),
        fetching(road.layout, settings_of(server)) as fetch,
    ):
        rig = Rig(road, server, fetch)
        rig.ask(whole(200, TOKEN.encode(), ETag=TAG))
        yield rig


@contextmanager
def answering(device: Bench) -> Iterator[None]:
    """Its socket, as the command has it."""
    most = control.DOCUMENT_LIMIT_BYTES
    answers = partial(capture_answers, device.loop)
    with control.serve(device.layout.capture_socket, answers, limit_bytes=most):
        yield


def settings_of(server: RawServer) -> BackendSettings:
    return BackendSettings(server.base_url, (server.receipt_key_file,), server.ca_file)


@contextmanager
def fetching(
    layout: Layout,
    settings: BackendSettings,
    device_id: str = "dev-1",
    reach: Reach | None = None,
    **told: Any,
) -> Iterator[DocumentFetch]:
    with closing(Backend(settings, QUICK)) as door:
        ask = partial(door.manifest, device_id=device_id)
        route = Document("manifest", EVERY_S, ask, "no route for this device")
        yield DocumentFetch(
            route, door, layout.capture_socket, random.Random(1), reach or Reach(), **told
        )


def in_hand(rig: Rig) -> object:
    """The version that a press is decided by."""
    return rig.device.press()["record"]["manifest"]


def test_what_was_fetched_is_in_hand_at_once(rig: Rig) -> None:
    request = rig.server.requests[0]

    assert (request.method, request.path) == ("GET", "/manifest")
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"dev-1:"
    assert "doorstep-device" not in request.headers
    assert "if-none-match" not in request.headers
    assert in_hand(rig) == 7


def test_what_is_unchanged_is_not_fetched_again(rig: Rig) -> None:
    asked = rig.ask([head(304, ETag=TAG)])

    assert asked["if-none-match"] == TAG
    assert in_hand(rig) == 7


def test_a_device_without_a_route_keeps_the_one_in_hand_until_it_ends(rig: Rig) -> None:
    rig.ask(whole(404, b"no route"))
    rig.device.tick()

    assert in_hand(rig) == 7


@pytest.mark.parametrize("body", STRANGE_ANSWERS.values(), ids=STRANGE_ANSWERS.keys())
def test_a_200_that_is_no_manifest_is_refused_by_capture_and_stops_nothing(
    rig: Rig, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The last valid one stays, the refusal is told, and the next time all is fetched."""
    rig.ask(whole(200, body, ETag='"strange"'))
    rig.device.tick()
    refused = rig.device.loop.status()["manifest_refused"]

    assert in_hand(rig) == 7
    assert refused
    assert len(refused) < 200
    assert caplog.text.count("event=manifest_refused") == 1
    assert "if-none-match" not in rig.ask(whole(200, TOKEN.encode(), ETag=TAG))
    rig.device.tick()
    assert rig.device.loop.status()["manifest_refused"] is None
    assert in_hand(rig) == 7


def test_bytes_that_are_no_text_do_not_even_reach_capture(rig: Rig) -> None:
    rig.ask(whole(200, random.Random(1).randbytes(5000), ETag='"strange"'))

    assert in_hand(rig) == 7
    assert rig.device.loop.status()["manifest_refused"] is None
    assert rig.ask([head(304)])["if-none-match"] == TAG


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [b"SSH-2.0-OpenSSH_9.9\r\n"],
        pytest.param(  # and then silence
            [head(200, Content_Length=5000) + TOKEN[:100].encode()], marks=pytest.mark.slow
        ),
        [head(302, Location="https://portal.example/", Content_Length=0)],
        [head(204)],
        [head(206, Content_Length=len(PORTAL)) + PORTAL],
        *([head(status, Content_Length=0)] for status in (400, 401, 403, 418, 429, 500, 503, 599)),
    ],
)
def test_no_answer_and_every_other_one_are_for_the_next_time(rig: Rig, answer: list[bytes]) -> None:
    rig.ask(answer)
    refused = rig.device.loop.status()["manifest_refused"]
    rig.ask(whole(200, signed(payload_of(SIGNED) | {"version": 8}).encode()))

    assert refused is None
    assert in_hand(rig) == 8


@pytest.mark.parametrize(
    "tag", ["no quotes", '"a"\r\n "folded"', '"\xe9"', f'"{"x" * 5000}"', '"with \t in it"', ""]
)
def test_an_etag_that_no_request_can_carry_is_not_kept(rig: Rig, tag: str) -> None:
    """Otherwise no manifest would ever be fetched again."""
    newer = signed(payload_of(SIGNED) | {"version": 8}).encode()
    newest = signed(payload_of(SIGNED) | {"version": 9}).encode()
    rig.ask(whole(200, newer, ETag=tag))
    rig.device.tick()
    asked = rig.ask(whole(200, newest, ETag='W/"9"'))
    rig.device.tick()

    assert "if-none-match" not in asked
    assert rig.ask([head(304)])["if-none-match"] == 'W/"9"'
    assert in_hand(rig) == 9


# When it asks


def test_it_asks_once_a_minute_give_or_take_a_third(rig: Rig) -> None:
    """Devices that were switched on together do not stay together."""
    rig.server.script = lambda _: [head(304)]
    began_s = rig.now_s + 2 * EVERY_S
    asked = len(rig.server.requests)
    times_s: list[float] = []
    for second in range(3600):
        rig.fetch.turn(began_s + second)
        if len(rig.server.requests) > asked:
            asked = len(rig.server.requests)
            times_s.append(second)

    apart_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert all(40 <= one <= 81 for one in apart_s)
    assert max(apart_s) - min(apart_s) > 20
    assert 55 <= sum(apart_s) / len(apart_s) <= 65


def test_a_backend_that_does_not_answer_is_not_asked_more_often(rig: Rig) -> None:
    rig.ask([])
    asked = len(rig.server.requests)
    for second in range(39):
        rig.fetch.turn(rig.now_s + second)

    assert len(rig.server.requests) == asked


def test_what_is_wanted_is_asked_for_at_once_and_then_once_a_minute_at_most(rig: Rig) -> None:
    """A backend may go on signing with a key that no fleet document names."""
    rig.server.script = lambda _: [head(304)]
    rig.fetch.turn(now_s := rig.now_s + 2 * EVERY_S)
    asked = []
    for second in (1, 2, 30, 60, 61, 62):
        rig.fetch.wanted()
        before = len(rig.server.requests)
        rig.fetch.turn(now_s + second)
        asked.append(len(rig.server.requests) - before)

    assert WANTED_EVERY_S == 60
    assert asked == [1, 0, 0, 0, 1, 0]


@dataclass
class Noted:
    """Something to fetch that notes when it may."""

    turns: int = 0

    def turn(self, _now_s: float) -> None:
        self.turns += 1

    def hurry(self) -> None:
        pass


def test_nothing_is_fetched_while_the_loop_rests_and_all_of_it_afterwards(tmp_path: Path) -> None:
    noted = Noted()
    with raw_server(tmp_path) as server, device_queue(tmp_path / "device") as made:
        server.script = lambda _: whole(401)
        with sender(made, server, downloads=[noted]) as sending:
            made.press()
            sending.sync.step()
            before = noted.turns
            sending.sync.step()
            resting = noted.turns
            sending.clock.now_s += 301
            sending.sync.step()

    assert (before, resting, noted.turns) == (1, 1, 2)


@pytest.mark.slow
def test_a_card_that_is_full_to_the_last_byte_ends_no_fetch(tmp_path: Path) -> None:
    """What is delivered is what frees it; and when there is room again, the manifest is fetched."""
    long = signed(payload_of(ALLOWED) | {"filler": "x" * 2_000_000}).encode()
    with (
        raw_server(tmp_path) as server,
        small_disk(tmp_path) as card,
        fleet_device(card / "device") as device,
        answering(device),
        fetching(device.layout, settings_of(server)) as fetch,
    ):
        rig = Rig(device, server, fetch)
        with full(card):
            rig.ask(whole(200, long, ETag=TAG))
            without = stored(device.layout).token
        asked = rig.ask(whole(200, long, ETag=TAG))

        assert without is None
        assert "if-none-match" not in asked
        assert stored(device.layout).token == long.decode()


# What capture says


def test_what_was_fetched_while_capture_is_down_is_offered_when_it_is_back(tmp_path: Path) -> None:
    with (
        raw_server(tmp_path) as server,
        fleet_device(tmp_path / "device") as road,
        fetching(road.layout, settings_of(server)) as fetch,
    ):
        rig = Rig(road, server, fetch)
        rig.ask(whole(200, TOKEN.encode(), ETag=TAG))
        before, asked = in_hand(rig), len(server.requests)
        with answering(road):
            fetch.turn(rig.now_s + 2)

        assert before == "none"
        assert in_hand(rig) == 7
        assert len(server.requests) == asked


def test_a_capture_that_says_it_has_none_is_brought_one_whatever_was_fetched_before(
    rig: Rig,
) -> None:
    """It was wiped by a clock that was wrong, for one."""
    named = rig.ask([head(304, ETag=TAG)])
    rig.device.hear_time(datetime(2026, 12, 1, 18, 0, 5, tzinfo=UTC))
    rig.device.tick()
    asked = rig.ask(whole(200, TOKEN.encode(), ETag=TAG))

    assert named["if-none-match"] == TAG
    assert "if-none-match" not in asked


@pytest.mark.parametrize("answer", [{"error": "busy", "exit": 75}, {"strange": True}, {}])
def test_a_capture_that_answers_strangely_ends_no_fetch(
    tmp_path: Path, answer: dict[str, Any]
) -> None:
    with (
        raw_server(tmp_path) as server,
        fleet_device(tmp_path / "device") as road,
        fetching(road.layout, settings_of(server)) as fetch,
        control.serve(road.layout.capture_socket, lambda *_: answer),
    ):
        rig = Rig(road, server, fetch)
        rig.ask(whole(200, TOKEN.encode(), ETag=TAG))
        rig.ask(whole(200, TOKEN.encode(), ETag=TAG))

        assert len(server.requests) == 2


def test_a_capture_that_hangs_is_not_asked_again_at_once(tmp_path: Path) -> None:
    """Records go on meanwhile."""
    with (
        raw_server(tmp_path) as server,
        fleet_device(tmp_path / "device") as road,
        fetching(road.layout, settings_of(server)) as fetch,
    ):
        asked: list[object] = []
        rig = Rig(road, server, fetch)
        busy = {"error": "another document is being read; ask again", "exit": 75}

        def note(request: dict[str, Any], _user: str) -> dict[str, Any]:
            asked.append(request.get("offer"))
            return busy

        with control.serve(road.layout.capture_socket, note):
            rig.ask(whole(200, TOKEN.encode(), ETag=TAG))
            for second in range(29):
                fetch.turn(rig.now_s + second)
            early = len(asked)
            fetch.turn(rig.now_s + 31)

        assert (early, len(asked)) == (1, 2)


def test_what_capture_refuses_and_another_answer_may_mend_is_doubted(tmp_path: Path) -> None:
    """A manifest by a key that only a newer fleet document names."""
    doubts: list[int] = []
    with (
        raw_server(tmp_path) as server,
        fleet_device(tmp_path / "device") as road,
        answering(road),
        fetching(road.layout, settings_of(server), on_doubt=lambda: doubts.append(1)) as fetch,
    ):
        rig = Rig(road, server, fetch)
        rig.ask(whole(200, signed(payload_of(ALLOWED), key=signing.new_key()).encode()))
        after_unknown = len(doubts)
        rig.ask(whole(200, TOKEN.encode()))
        rig.ask(whole(200, signed(payload_of(SIGNED) | {"version": 6}).encode()))

        assert after_unknown == len(doubts) == 1


# The reference backend


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendProcess]:
    with running_backend(tmp_path_factory.mktemp("backend")) as running:
        yield running


@pytest.fixture
def office(backend: BackendProcess) -> Iterator[Office]:
    office = open_office(Store(backend.data))
    if not office.orders.numbers():
        demo.settle(office)
    yield office
    office.ledger.close()


def now() -> datetime:
    """A time that the device's floor lets pass, whatever the machine's clock says."""
    return max(datetime.now(UTC), BUILT + timedelta(minutes=1))


def assign(office: Office, device_id: str) -> None:
    """Give the demo's orders to a device, from an hour ago on."""
    demo.send_out(office, device_id, now())


@contextmanager
def on_the_road(folder: Path, backend: BackendProcess, device_id: str) -> Iterator[Bench]:
    parts = Parts(witness=ClockSource.UNSYNCED)
    settings: dict[str, dict[str, object]] = {
        "policy": {"manifest": "required"},
        "backend": dict(devices.towards(backend)),
        "device": {"id": device_id},
    }
    with bench(folder, parts, **settings) as device:
        device.hear_time(now())
        device.tick()
        yield device


def sync(device: Bench) -> None:
    """What `doorstep sync --once` does first."""
    with (
        answering(device),
        fetching(device.layout, device.config.backend, device.config.device.id) as fetch,
    ):
        fetch.turn(0.0)
    device.tick()


def stand_at(device: Bench, number: str) -> None:
    lat_deg, lon_deg = demo.PLACES[number]
    device.parts.fix(lat_deg=lat_deg, lon_deg=lon_deg, utc=None)


def deliver(backend: BackendProcess, office: Office, device_id: str, number: str) -> None:
    stop = {"id": office.orders.find(number).stop_id, "bound_by": "code", "ring": "inside"}
    made = RecordMaker(device_id).make(Kind.PHOTO, {"stop": stop, "simulated": False}, PICTURE)
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        answer = wire.post(made.label.capture_id, made.content, made.content)
    assert answer.status_code == 201
    await_filed(backend.data)


@pytest.mark.slow
def test_a_route_may_go_to_another_device_in_the_middle(
    tmp_path: Path, backend: BackendProcess, office: Office
) -> None:
    """The second has its stops, with what is done; the first has none from its next fetch on."""
    assign(office, "first")
    with (
        on_the_road(tmp_path / "1", backend, "first") as first,
        on_the_road(tmp_path / "2", backend, "second") as second,
    ):
        for device in (first, second):
            stand_at(device, demo.ALLOWED)
            sync(device)
        before = first.press(), second.press()
        deliver(backend, office, "first", demo.LEFT_DOOR)
        office.routes.assign(demo.ROUTE, "second")
        for device in (first, second):
            sync(device)
        after = first.press(), second.press()
        stops = {stop.id: stop for stop in route_of(second, backend).stops}
        left = route_of(first, backend).stops

    bound = office.orders.find(demo.ALLOWED).stop_id
    assert before[0]["record"]["stop"]["id"] == bound
    assert reason(before[1]) == "manifest_missing"
    assert reason(after[0]) == "manifest_missing"
    assert after[1]["record"]["stop"]["id"] == bound
    assert left == ()
    assert stops[office.orders.find(demo.LEFT_DOOR).stop_id].done


def route_of(device: Bench, backend: BackendProcess) -> Manifest:
    key = signing.read_public_key(backend.receipt_key_file)
    token = stored(device.layout).token or ""
    return manifest.read(token, {signing.thumbprint(key): key}, device.config.device.id)


@pytest.mark.slow
def test_an_unchanged_route_is_answered_without_a_body(
    tmp_path: Path, backend: BackendProcess, office: Office
) -> None:
    assign(office, "first")
    with on_the_road(tmp_path, backend, "first") as device:
        sync(device)
        version = device.loop.status()["manifest"]
        with device_door(device) as door:
            first = door.manifest(None, device_id="first")
            answer = door.manifest(first.headers["ETag"], device_id="first")

        assert (first.status, answer.status, answer.body) == (200, 304, b"")
        assert isinstance(version, int)


@contextmanager
def device_door(device: Bench) -> Iterator[Backend]:
    with closing(Backend(device.config.backend, QUICK)) as door, door.attempt():
        yield door


@pytest.mark.slow
def test_a_customer_who_opts_out_is_heeded_within_a_second_of_the_next_fetch(
    tmp_path: Path, backend: BackendProcess, office: Office
) -> None:
    """Real processes; and what is refused afterwards is told by `status` and by `doctor`."""
    lat_deg, lon_deg = demo.PLACES[demo.CHANGES_MIND]
    world = f"[[at]]\nsecond = 0\nlat_deg = {lat_deg}\nlon_deg = {lon_deg}\n"
    assign(office, "real")
    with devices.device(
        tmp_path,
        world,
        device={"id": "real"},
        policy={"manifest": "required"},
        backend=devices.towards(backend),
    ) as device:
        device.start("capture")
        none = device.press()
        first_s = taken_in_s(device, "none")
        time.sleep(0.7)  # presses within 0.6 s count once
        photo = device.press()
        version = device.ask("capture", {"status": True})["manifest"]  # type: ignore[index]  # it runs
        office.opt_out_order(demo.CHANGES_MIND, opted_out=True)
        second_s = taken_in_s(device, version)
        time.sleep(0.7)
        refused = device.press()
        key = signing.read_private_key(backend.data / "keys" / "receipt.pem")
        old = payload_of(ALLOWED) | {"device_id": "real"}
        device.ask("capture", {"offer": "manifest", "text": sign_manifest(old, key)})
        device.await_that(lambda: "event=manifest_refused" in device.log("capture"))
        told = device.run("status").stdout
        document = device.run("status", "--json").stdout
        examined = device.run("doctor")

    assert reason(none) == "manifest_missing"
    assert photo["record"]["stop"]["id"] == office.orders.find(demo.CHANGES_MIND).stop_id
    assert reason(refused) == "no_photo_stop"
    assert max(first_s, second_s) < 3.0  # a second, on a machine that has other things to do
    assert "manifest  one was refused: version 7 is not newer than" in told
    assert "is not newer than" in json.loads(document)["capture"]["manifest_refused"]
    assert len(document) <= LIMIT_BYTES + len("\n")
    assert examined.returncode == 70
    assert "FAILED  manifest       one was refused" in examined.stdout


def taken_in_s(device: devices.Device, before: int | str) -> float:
    """From the end of a `sync --once` until another manifest is in hand."""
    done = device.run("sync", "--once")
    began_s = time.monotonic()
    assert done.stdout, done.stderr

    def is_another() -> bool:
        told = device.ask("capture", {"status": True})
        return told is not None and told["manifest"] != before

    device.await_that(is_another)
    return time.monotonic() - began_s
