"""An identity that changes on a bad line: a renewal that is lost, a device that is shut out."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from agent.config import Config, load
from agent.identity.est import Est
from agent.identity.renewal import Renewal
from agent.models import State
from agent.record import signing
from agent.sync.backoff import BACK_OFF_CAP_S
from agent.trust.store import TrustStore
from agent.wire import tls
from agent.wire.http import Backend as Door
from doorstep_backend.identity.known import Label
from doorstep_backend.identity.register import Register
from tests.faults.network.box import Way
from tests.faults.network.inner import misplaced
from tests.faults.network.rig import in_memory
from tests.support.backend import Backend, running_backend
from tests.support.device import Device, device
from tests.support.enrolment import enrolled, enrolled_beside, required
from tests.support.network import FaultProxy, Line
from tests.support.sending import QUICK, Sender, device_queue, sender

pytestmark = pytest.mark.slow

DUE = timedelta(days=270)
"""Age of a certificate of a year that is renewed at the next look."""

EVERY = 509
"""One byte in so many of a renewal is tried: each takes a device of its own."""

EVERY_OF_RECORD = 211
"""One byte in so many of a record's attempt: the parts of a handshake are longer."""

ATTEMPTS = 5
"""On a machine that is busy a healthy line may seem silent."""

RECORDS = 12
RATE_BYTES_PER_S = 60_000.0
PHOTO_BYTES = 30_000
"""Half a second each: the office is quicker than the drain."""


@dataclass
class Scene:
    """A backend with identity, and the line to it."""

    folder: Path
    backend: Backend
    line: FaultProxy
    opened: ExitStack = field(default_factory=ExitStack)

    def van(self, folder: Path, device_id: str) -> Device:
        tables = required(self.backend, f"https://127.0.0.1:{self.line.port}")
        van = self.opened.enter_context(device(folder, device={"id": device_id}, **tables))
        van.layout.make()
        return van

    def due(self) -> tuple[Device, Config]:
        """A device whose certificate is to be renewed."""
        old = enrolled_beside(self.backend.data, self.folder, f"van-{uuid4()}", ago=DUE)
        made = self.van(self.folder / old.device_id, old.device_id)
        old.into(made.layout.sync_keys)
        return made, load(made.config)

    def issued(self, device_id: str) -> list[bytes]:
        """The TLS certificates that a device got so far, PEM."""
        (found,) = [
            one for one in Register(self.backend.data).devices() if one.device_id == device_id
        ]
        tls_only = [one for one in found.certificates if one.label is Label.TLS]
        return [one.pem.encode() for one in tls_only]

    def mend(self) -> None:
        self.line.up = self.line.down = Line()
        self.line.cut()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with (
        in_memory() as folder,
        running_backend(folder / "backend", identity=True) as backend,
        FaultProxy(("127.0.0.1", backend.port)) as line,
    ):
        made = Scene(folder, backend, line)
        with made.opened:
            yield made


def shown(van: Device) -> bytes:
    """The certificate in use, PEM."""
    text = (van.layout.sync_keys / "tls.pem").read_bytes()
    return text[text.index(b"-----BEGIN CERTIFICATE") :]


def is_let_in(config: Config) -> bool:
    with closing(Door(config.backend, QUICK, tls=tls.for_backend(config))) as door, door.attempt():
        return door.fleet(None).status == 200


def renewal_cut(scene: Scene, way: Way, at: int) -> list[str]:
    """One case: a renewal that is cut, and the next look; returns what went wrong."""
    van, config = scene.due()
    before, wrong = shown(van), []
    with closing(Est(config.est, tls.for_est(config), QUICK)) as est:
        renewal = Renewal(config, est, random.Random(1), lambda _: None)
        setattr(scene.line, way, Line(cut_after_bytes=at))
        renewal.turn(1000.0)
        scene.mend()
        if not is_let_in(config):
            wrong.append("what is in use after the cut is not let in")
        if len(scene.issued(config.device.id)) == 1 and shown(van) != before:
            wrong.append("a certificate is in use that was not issued")
        renewal.hurry()
        renewal.turn(2000.0)
    issued = scene.issued(config.device.id)
    if len(issued) != 2:
        wrong.append(f"{len(issued)} certificates issued, the first among them")
    if shown(van) != issued[-1]:
        wrong.append("the newest certificate is not the one in use")
    if not is_let_in(config):
        wrong.append("the new certificate is not let in")
    return wrong


def sent_through_a_cut(scene: Scene, sending: Sender, way: Way, at: int | None) -> list[str]:
    """Cut a record's first attempt at a byte of TCP; return what went wrong then, or later."""
    device, clock, wrong = sending.device, sending.clock, list[str]()
    item = device.press(300)
    setattr(scene.line, way, Line(cut_after_bytes=at))
    for _ in range(ATTEMPTS):
        clock.now_s = max(device.outbox.get(item.capture_id).due_s, clock.now_s + BACK_OFF_CAP_S)
        sending.sync.step()
        received = scene.backend.received_file(item.capture_id)
        wrong += misplaced(device, item, received.read_bytes() if received.exists() else None)
        scene.mend()
        if device.state(item) == State.DELIVERED:
            return wrong
    return [*wrong, f"not delivered afterwards, but {device.outbox.get(item.capture_id)}"]


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_record_that_is_cut_at_any_byte_loses_nothing(scene: Scene, way: Way) -> None:
    """Of the handshake with the device's certificate, the request and the answer."""
    with device_queue(scene.folder / "van") as made:
        identity = enrolled(scene.backend, scene.folder, made.maker.device_id, made.key)
        own, url = identity.into(made.layout.sync_keys), f"https://127.0.0.1:{scene.line.port}"
        with sender(made, scene.backend, url=url, own=own) as sending:
            before = scene.line.relayed_bytes[way]
            assert sent_through_a_cut(scene, sending, way, None) == []
            end = scene.line.relayed_bytes[way] - before
            points = [*range(0, end, EVERY_OF_RECORD), end]

            tried = {at: sent_through_a_cut(scene, sending, way, at) for at in points}

    assert {at: wrong for at, wrong in tried.items() if wrong} == {}


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_renewal_that_is_cut_at_any_byte_leaves_an_identity_and_takes_one_certificate(
    scene: Scene, way: Way
) -> None:
    """The request is lost, or the answer is: the next look asks with the same key."""
    before = scene.line.relayed_bytes[way]
    assert renewal_cut(scene, way, 10**9) == []
    end = scene.line.relayed_bytes[way] - before

    tried = {at: renewal_cut(scene, way, at) for at in range(0, end, EVERY)}

    assert {at: wrong for at, wrong in tried.items() if wrong} == {}


def test_revoked_in_the_middle_of_a_drain_nothing_changes_its_state_until_it_is_let_in_again(
    scene: Scene,
) -> None:
    """The running sync pauses, and goes on by itself once there is another certificate."""
    with device_queue(scene.folder / "van") as made:
        device_id = made.maker.device_id
        identity = enrolled(scene.backend, scene.folder, device_id, made.key)
        van = scene.van(scene.folder / "van", device_id)
        identity.into(van.layout.sync_keys)
        made.layout.capture_keys.joinpath("device.pem").write_bytes(signing.private_pem(made.key))
        TrustStore(van.layout).keep_fleet((document(van),))
        items = [made.press(PHOTO_BYTES) for _ in range(RECORDS)]
        scene.line.up = Line(rate_bytes_per_s=RATE_BYTES_PER_S)
        van.start("sync")
        van.await_that(lambda: states(van)["DELIVERED"] >= 3, 60.0)

        scene.backend.command("devices", "revoke", device_id)

        van.await_that(lambda: "certificate revoked" in str(pause(van)), 60.0)
        before = states(van)
        assert before.keys() == {"DELIVERED", "PENDING"}
        van.await_that(lambda: van.log("sync").count("event=paused") == 1)
        scene.mend()
        assert not any(row["suspected"] for row in van.queue())
        assert states(van) == before
        token = scene.backend.command("devices", "add", device_id).split()[-1]
        ended = van.run("enrol", load(van.config).est, input=token)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        van.await_that(lambda: states(van) == {"DELIVERED": RECORDS}, 60.0)
        van.await_that(lambda: "event=resumed" in van.log("sync"))
        for item in items:
            received = scene.backend.received_file(item.capture_id).read_bytes()
            assert received == made.content(item)


def document(van: Device) -> str:
    """The fleet document, as this device fetches it."""
    config = load(van.config)
    with closing(Door(config.backend, QUICK, tls=tls.for_backend(config))) as door, door.attempt():
        return door.fleet(None).body.decode()


def states(van: Device) -> Counter[str]:
    return Counter(row["state"] for row in van.queue())


def pause(van: Device) -> object:
    return (van.ask("sync", {"status": True}) or {}).get("pause")
