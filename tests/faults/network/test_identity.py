"""An enrolled device on a bad line: a record or a renewal that is cut, the handshake too."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from agent.config import Config, load
from agent.identity.est import EstClient
from agent.identity.renewal import Renewal
from agent.models import RecordState
from agent.sync.backoff import BACK_OFF_CAP_S
from agent.wire import tls
from doorstep_backend.identity.known import CertificateUse
from doorstep_backend.identity.register import Register
from tests.faults.network.box import Way
from tests.faults.network.inner import misplaced
from tests.faults.network.rig import in_memory
from tests.support.backend import Backend, running_backend
from tests.support.device import Device
from tests.support.enrolment import enrolled, enrolled_beside, is_let_in, required
from tests.support.network import FaultProxy, Line
from tests.support.sending import QUICK, Sender, device_queue, sender

pytestmark = pytest.mark.slow

DUE = timedelta(days=270)
"""Age of a certificate of a year that is renewed at the next look."""

EVERY = 509
"""Bytes of a renewal for each byte that is tried, since every case takes a device of its own."""

EVERY_OF_RECORD = 211
"""Bytes of a record's attempt for each that is tried; the parts of a handshake are longer."""

ATTEMPTS = 5
"""On a machine that is busy a healthy line may seem silent."""


@dataclass
class Scene:
    """A backend with identity, and the line to it."""

    folder: Path
    backend: Backend
    line: FaultProxy

    def due(self) -> tuple[Device, Config]:
        """A device whose certificate is to be renewed."""
        old = enrolled_beside(self.backend.data, self.folder, f"van-{uuid4()}", ago=DUE)
        tables = required(self.backend, f"https://127.0.0.1:{self.line.port}")
        made = Device(self.folder / old.device_id, device={"id": old.device_id}, **tables)
        made.layout.make()
        old.into(made.layout.sync_keys)
        return made, load(made.config)

    def issued(self, device_id: str) -> list[bytes]:
        """The TLS certificates that a device got so far, PEM."""
        (found,) = [
            one for one in Register(self.backend.data).devices() if one.device_id == device_id
        ]
        tls_only = [one for one in found.certificates if one.use is CertificateUse.TLS]
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
        yield Scene(folder, backend, line)


def shown(van: Device) -> bytes:
    """The certificate in use, PEM."""
    text = (van.layout.sync_keys / "tls.pem").read_bytes()
    return text[text.index(b"-----BEGIN CERTIFICATE") :]


def renewal_cut(scene: Scene, way: Way, at: int) -> list[str]:
    """Cut one renewal, look again, and return each fault."""
    van, config = scene.due()
    before, wrong = shown(van), []
    with closing(EstClient(config.est, tls.for_est(config), QUICK)) as est:
        renewal = Renewal(config, est, random.Random(1), lambda _: None)
        setattr(scene.line, way, Line(cut_after_bytes=at))
        renewal.tick(1000.0)
        scene.mend()
        if not is_let_in(config):
            wrong.append("what is in use after the cut is not let in")
        if len(scene.issued(config.device.id)) == 1 and shown(van) != before:
            wrong.append("a certificate is in use that was not issued")
        renewal.make_due()
        renewal.tick(2000.0)
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
        if device.state(item) == RecordState.DELIVERED:
            return wrong
    return [*wrong, f"not delivered afterwards, but {device.outbox.get(item.capture_id)}"]


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_record_that_is_cut_at_any_byte_loses_nothing(scene: Scene, way: Way) -> None:
    """The bytes of the handshake with the device's certificate, the request and the answer."""
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
