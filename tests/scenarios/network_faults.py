"""Faults of the network between device and backend; the device is in its cradle."""

import base64
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.faults.network.box import Box, Ending, Fault
from tests.scenarios.faults import CRADLE, Seen, check_chain, fault, press, state_of
from tests.scenarios.sending_faults import Sending, by_switch, switched
from tests.support.backend import Backend
from tests.support.device import Device, towards
from tests.support.network import FaultProxy, Line
from tests.support.waiting import until

DAY: Final = timedelta(days=1)

fault("something sends the device to another host")(
    by_switch("event=link_lost", status=307, headers={"Location": "https://127.0.0.2/"})
)


class HastyDevice(Device):
    """A device that waits a tenth of the usual time for a line that says nothing."""

    def words(self, *words: str) -> list[str]:
        command = [sys.executable, "-m", "tests.faults.network.hasty"]
        return [*command, *words, "--config", str(self.config)]


@contextmanager
def pressed(folder: Path, backend: Backend, to: Mapping[str, Any]) -> Iterator[Sending]:
    """Press once; the sender is still to be started."""
    van = HastyDevice(folder, CRADLE, device={"id": f"van-{uuid4()}"}, backend=to)
    try:
        van.start("capture")
        yield Sending(van, backend, van.press())
        check_chain(van)
    finally:
        van.stop_all()


@contextmanager
def boxed(folder: Path, backend: Backend) -> Iterator[Box]:
    """A box before the backend that ends TLS."""
    folder.mkdir(parents=True)
    with Box(folder, backend.port, backend.receipt_key_file, backend.ca_file) as box:
        yield box


def _delivered(van: Sending, event: str) -> Seen:
    """The sender runs into a fault that ends by itself."""
    van.device.start("sync")
    van.until(event)
    van.device.await_that(lambda: state_of(van.device, van.reply) == "DELIVERED", 60)
    states = [van.state()]
    return Seen(van.device.log("sync"), van.light(), states)


def _out_of_date(folder: Path, backend: Backend, since: datetime, until: datetime) -> Seen:
    with boxed(folder, backend) as box, pressed(folder / "van", backend, towards(box)) as van:
        box.present(box.ca.issue_cert("127.0.0.1", not_before=since, not_after=until))
        van.device.start("sync")
        van.until("event=link_lost")
        states, light = [van.state()], van.light()
        box.present(box.ca.issue_cert("127.0.0.1"))
        states.append(van.mended())
        return Seen(van.device.log("sync"), light, states)


@fault("the backend's certificate has expired")
def expired(folder: Path, backend: Backend) -> Seen:
    now = datetime.now(UTC)
    return _out_of_date(folder, backend, now - 30 * DAY, now - DAY)


@fault("the backend's certificate is not yet valid, or the device's clock is behind")
def not_yet_valid(folder: Path, backend: Backend) -> Seen:
    now = datetime.now(UTC)
    return _out_of_date(folder, backend, now + DAY, now + 30 * DAY)


@fault("the line falls silent in the middle of a record")
def silent(folder: Path, backend: Backend) -> Seen:
    with (
        switched(backend, methods=["POST"], times=2, silent_after_bytes=1_000),
        pressed(folder, backend, towards(backend)) as van,
    ):
        return _delivered(van, "event=link_lost")


@fault("the line carries a byte per second")
def drip(folder: Path, backend: Backend) -> Seen:
    with FaultProxy(("127.0.0.1", backend.port)) as network:
        network.up = network.down = Line(rate_bytes_per_s=1.0)
        to = towards(backend, f"https://127.0.0.1:{network.port}")
        with pressed(folder, backend, to) as van:
            van.device.start("sync")
            van.until("event=link_lost")
            states, light = [van.state()], van.light()
            network.up = network.down = Line()
            network.cut()
            states.append(van.mended())
            return Seen(van.device.log("sync"), light, states)


@fault("the answer is lost: the backend has the record, and the device does not know")
def answer_lost(folder: Path, backend: Backend) -> Seen:
    with (
        switched(backend, methods=["POST"], times=2, lose_answer=True),
        pressed(folder, backend, towards(backend)) as van,
    ):
        before_bytes = backend.counts().body_bytes
        seen = _delivered(van, "event=link_lost")
        sent_bytes = backend.counts().body_bytes - before_bytes
        assert sent_bytes < 1.5 * sum(row["bytes"] for row in van.device.queue()), "sent twice"
        return seen


@fault("the backend forgets an upload")
def forgotten(folder: Path, backend: Backend) -> Seen:
    with (
        switched(backend, methods=["POST", "PATCH"], cut_after_bytes=100),
        pressed(folder, backend, towards(backend)) as van,
    ):
        van.device.start("sync")
        van.until("event=link_lost")
        states, light = [van.state()], van.light()
        backend.set_switches(forget=True)
        states.append(van.mended())
        return Seen(van.device.log("sync"), light, states)


@fault("the backend loses each record that it got whole")
def lost_whole(folder: Path, backend: Backend) -> Seen:
    silent = {"receipt": "none", "receipts_null": True}

    def is_an_alarm(van: Sending) -> bool:
        backend.set_switches(forget=True, **silent)
        return "event=suspect" in van.device.log("sync")

    with switched(backend, **silent), pressed(folder, backend, towards(backend)) as van:
        van.device.start("sync")
        until(lambda: is_an_alarm(van), 60, every_s=0.5)
        states, light = [van.state()], van.light()
        backend.set_switches(forget=True)
        states.append(van.mended())
        return Seen(van.device.log("sync"), light, states)


@fault("the bytes are altered on the way")
def altered_on_the_way(folder: Path, backend: Backend) -> Seen:
    """In the photo: the records before it are shorter."""
    with boxed(folder, backend) as box, pressed(folder / "van", backend, towards(box)) as van:
        box.arm(Fault("up", 20_000, Ending.FLIP))
        return _delivered(van, "event=deferred")


@fault("one record always breaks the connection")
def poison(folder: Path, backend: Backend) -> Seen:
    with boxed(folder, backend) as box, pressed(folder / "van", backend, towards(box)) as van:
        own = van.reply["label"]["capture_id"].encode()
        box.poison = (own, base64.b64encode(own))
        other = press(van.device)
        van.device.start("sync")
        van.until("event=link_lost")
        van.device.await_that(lambda: state_of(van.device, other) == "DELIVERED")
        states, light = [van.state(), state_of(van.device, other)], van.light()
        box.poison = ()
        states.append(van.mended())
        return Seen(van.device.log("sync"), light, states)
