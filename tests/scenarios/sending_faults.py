"""Faults between the device and the backend; the device is in its cradle, so its light tells."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.scenarios.faults import (
    CRADLE,
    Seen,
    check_chain,
    check_delivered,
    check_nothing_lost,
    fault,
    known_to,
    state_of,
)
from tests.support.backend import Backend
from tests.support.device import Device, device
from tests.support.network import FaultProxy

TWO_TICKS_S: Final = 2.5
"""The idle light is chosen once a second."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A device in its cradle that has one photo to send."""

    device: Device
    backend: Backend
    reply: dict[str, Any]

    def until(self, event: str) -> None:
        self.device.await_that(lambda: event in self.device.log("sync"))

    def state(self) -> str:
        """The photo's state once the light has had time to follow; nothing is lost or made up."""
        time.sleep(TWO_TICKS_S)
        check_nothing_lost(self.device, [self.reply])
        check_delivered(self.device, self.backend)
        return state_of(self.device, self.reply)

    def light(self) -> list[str]:
        return self.device.lights()[-1:]

    def mended(self) -> str:
        """The photo's state after the fault has gone and everything was put back and sent."""
        self.backend.set_switches()
        self.device.run("queue", "retry", "--all")
        sent = self.device.run("sync", "--once")
        assert sent.returncode == 0, sent.stdout + sent.stderr + self.device.log("sync")
        check_delivered(self.device, self.backend)
        return state_of(self.device, self.reply)


@contextmanager
def sending(folder: Path, backend: Backend, url: str | None = None) -> Iterator[Sending]:
    """Press once, and only then let the sender run."""
    with device(folder, CRADLE, **known_to(backend, url)) as van:
        van.start("capture")
        reply = van.press()
        van.start("sync")
        yield Sending(van, backend, reply)
        check_chain(van)


@contextmanager
def switched(backend: Backend, **switches: Any) -> Iterator[None]:
    """Let the backend misbehave while the block runs."""
    backend.set_switches(**switches)
    try:
        yield
    finally:
        backend.set_switches()


def by_switch(event: str, **switches: Any) -> Callable[[Path, Backend], Seen]:
    """Return a scenario in which the backend misbehaves until `mended`."""

    def scenario(folder: Path, backend: Backend) -> Seen:
        with switched(backend, **switches), sending(folder, backend) as van:
            van.until(event)
            states, light = [van.state()], van.light()
            states.append(van.mended())
            return Seen(van.device.log("sync"), light, states)

    return scenario


fault("a captive portal answers")(by_switch("event=link_lost", portal=True))
fault("the backend fails (5xx)")(by_switch("event=link_lost", status=500))
fault("the backend has no room (507)")(by_switch("event=link_lost", full=True))
fault("a proxy answers 413")(
    by_switch("event=suspect", methods=["POST"], status=413, body="too large")
)
fault("the backend refuses the record with its signature")(
    by_switch("event=refused", refuse="unknown_key")
)
fault("everything is sent, but no receipt comes")(
    by_switch("event=deferred", receipt="none", receipts_null=True)
)
fault("the receipt is for another record")(by_switch("event=deferred", receipt="other_id"))
fault("the receipt is forged")(by_switch("event=deferred", receipt="other_key"))


@fault("the backend does not let the device in (401, 403)")
def shut_out(folder: Path, backend: Backend) -> Seen:
    """Each waiting record gets its answer, capture asks within 10 s, and then the light stays."""
    with switched(backend, status=401), sending(folder, backend) as van:
        van.until("event=paused")
        van.device.await_that(lambda: van.light() == ["ask_office"], within_s=40.0)
        states, light = [van.state()], van.light()
        states.append(van.mended())
        van.device.await_that(lambda: van.light() == ["all_sent"])
        return Seen(van.device.log("sync"), light, states)


@fault("the connection is cut in the middle of a record")
def cut(folder: Path, backend: Backend) -> Seen:
    cuts = {"methods": ["POST"], "times": 2, "cut_after_bytes": 8_192}
    with switched(backend, **cuts), sending(folder, backend) as van:
        van.until("event=link_lost")
        van.device.await_that(lambda: state_of(van.device, van.reply) == "DELIVERED")
        states = [van.state()]
        (row,) = [row for row in van.device.queue() if row["kind"] == "photo"]
        assert row["attempts"] > 1
        return Seen(van.device.log("sync"), van.light(), states)


@fault("the backend cannot be reached")
def unreachable(folder: Path, backend: Backend) -> Seen:
    with FaultProxy(("127.0.0.1", backend.port)) as network:
        network.reachable = False
        with sending(folder, backend, f"https://127.0.0.1:{network.port}") as van:
            van.until("event=link_lost")
            states, light = [van.state()], van.light()
            network.reachable = True
            states.append(van.mended())
            return Seen(van.device.log("sync"), light, states)


def _with_file(folder: Path, backend: Backend, harm: Callable[[Path], None]) -> Seen:
    """Harm the record's file while there is no sender, then let it run."""
    with device(folder, CRADLE, **known_to(backend)) as van:
        van.start("capture")
        reply = van.press()
        harm(van.layout.record(reply["label"]["capture_id"]))
        van.start("sync")
        van.await_that(lambda: "event=damaged" in van.log("sync"))
        time.sleep(TWO_TICKS_S)
        check_delivered(van, backend)
        others = [row["state"] for row in van.queue() if row["kind"] != "photo"]
        assert others == ["DELIVERED"], "one damaged record does not hold up the rest"
        return Seen(van.log("sync"), van.lights()[-1:], [state_of(van, reply)])


@fault("the record's file was altered on the card")
def altered(folder: Path, backend: Backend) -> Seen:
    def flip_a_bit(file: Path) -> None:
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)

    return _with_file(folder, backend, flip_a_bit)


@fault("the record's file is gone")
def gone(folder: Path, backend: Backend) -> Seen:
    return _with_file(folder, backend, Path.unlink)


@fault("a second `doorstep sync` is started")
def second_sender(folder: Path, backend: Backend) -> Seen:
    with sending(folder, backend) as van:
        second = van.device.run("sync")
        told = f"{second.stderr}\nexit {second.returncode}"
        van.device.await_that(lambda: state_of(van.device, van.reply) == "DELIVERED")
        check_delivered(van.device, backend)
        return Seen(told, [], [state_of(van.device, van.reply)])
