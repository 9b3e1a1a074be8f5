"""Parsers of what a device gets from other processes, servers and people."""

import socket
import sqlite3  # noqa: TID251 - its errors are documented ones of the queue
import tempfile
from contextlib import closing, suppress
from dataclasses import fields
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import numpy as np
import urllib3  # noqa: TID251 - its errors are documented ones of http.py

from agent.capture import barcodes
from agent.capture.energy import HOUR_NS, Energy, troubles
from agent.capture.energy_meter import parsed
from agent.command import owners
from agent.errors import DoorstepError, FailedElsewhere, NotNow
from agent.identity import retirement
from agent.models import Item
from agent.process import control
from agent.queue import bounds, labels, opening, superblock
from agent.queue.paths import Layout
from agent.serve import answers, captures
from agent.serve.answer import HttpAnswer as Told
from agent.serve.connection import HEAD_LIMIT_BYTES, Connection
from agent.status import kept
from agent.status.reading import capture_report, sync_report
from agent.status.values import compact
from agent.sync.attempt import Attempt
from agent.trust.store import TrustStore
from agent.wire import connection, tus
from agent.wire.http import ANSWER_LIMIT_BYTES, HttpClient
from agent.wire.stall import StallLimit
from agent.wire.tls import ClientTls
from hardware import chrony
from hardware.drivers import position_gpsd
from hardware.power import PowerReading
from hardware.settings import PowerSettings
from tests.faults.fuzz.parsers.keys import CAPTURE_ID, DEVICE, SIGNERS
from tests.faults.fuzz.parsers.parser import Parser
from tests.faults.fuzz.shapes import Shape

_ANSWER_BYTES: Final = 100_000
"""Longest answer: the kernel must hold all of it, because no other thread writes."""


@cache
def _layout() -> Layout:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    layout = Layout(folder / "state", folder / "run")
    layout.make()
    return layout


def _gpsd(line: bytes) -> object:
    before = position_gpsd.Sky()
    found = position_gpsd.parse(line, 10**9, before)
    return found, position_gpsd.parse(line, 10**9, found) if isinstance(found, type(before)) else 0


def _label_in_a_folder(content: bytes) -> object:
    (_layout().records / f"{CAPTURE_ID}.rec").write_bytes(content)
    return labels.read_labels(_layout())


def _kept_status(content: bytes) -> object:
    _layout().status_file.write_bytes(content)
    return compact(kept.read_queue(_layout()))


def _doctor(content: bytes) -> object:
    _layout().doctor_file.write_bytes(content)
    return compact(kept.read_doctor(_layout()))


def _kept_energy(content: bytes) -> object:
    """Read the energy that was kept as the next capture process does, and go on from it."""
    found = parsed(content, "this", 10**13) or Energy()
    reading = PowerReading(80, external=False, under_voltage=None, watts=1.2)
    for second in range(2):
        found = found.after(reading, 10**13 + second * HOUR_NS)
    list(troubles(found, PowerSettings(gauge=True, current_sensor="ina226")))
    return compact(found.figures)


def _answer_of_a_process(content: bytes) -> object:
    """Read the answers of capture and sync as `doorstep status` does."""
    told = control._decoded(content)  # noqa: SLF001 - asked over a socket
    return compact(capture_report(told)), compact(sync_report(told))


def _time(content: bytes) -> object:
    """Read time and versions in `trust/`, which capture writes for other processes."""
    store = TrustStore(_layout())
    for name in ("time.json", "fleet.version", "manifest.version", "fleet.jws"):
        (_layout().trust / name).write_bytes(content)
    known = store.time()
    if known.floor is not None:
        known.floor.isoformat()
    if known.agreed is not None:
        known.agreed.utc.isoformat()
    if known.allowance is not None:
        known.allowance.base.isoformat()
    return known, store.fleet_version(DEVICE), store.manifest_version(), store.fleet()


def _server_answer(content: bytes) -> tus.Answer:
    """Read headers, an empty line and a body."""
    head, _, body = content.partition(b"\n\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\n")]
    return tus.Answer(200, {name: value for name, _, value in lines}, body)


def _tus(content: bytes) -> object:
    answer = _server_answer(content)
    return (
        tus.own_address("https://backend.example/base", answer.headers.get("Location")),
        tus.number(answer, "Upload-Offset"),
        tus.retry_after_s(answer),
        tus.quoted("POST", answer),
    )


def _retired(content: bytes) -> object:
    return retirement.judged(tus.Answer(200, {}, content), DEVICE)


class _NoBackend:
    base = "https://backend.example"


def _receipts(content: bytes) -> object:
    """Read the answer to a request for receipts."""
    given: Any = {one.name: None for one in fields(Item)} | {"capture_id": CAPTURE_ID}
    item = Item(**given)
    nothing: Any = lambda *_: None  # noqa: E731 - nobody asks what it returns
    attempt = Attempt(_NoBackend(), SIGNERS, nothing, item, b"")  # type: ignore[arg-type]
    return attempt._after_ask_for_receipt(tus.Answer(200, {}, content))  # noqa: SLF001 - of an answer


class _Line(socket.socket):
    """A client's socket without TLS; the client counts as verified."""

    def do_handshake(self) -> None:
        """Do nothing: there is no TLS."""

    def getpeercert(self) -> dict[str, object]:
        return {}

    def send(self, data: Any, flags: int = 0) -> int:
        """Drop the answer: nobody would read it here."""
        del flags
        return len(data)


def _answered(content: bytes) -> object:
    """Read what any server may answer to sync over TLS."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * _ANSWER_BYTES)
        ours.settimeout(5)
        theirs.settimeout(5)
        ours.sendall(content)
        ours.shutdown(socket.SHUT_WR)
        line = connection._Connection(_stall(), 5.0, "backend.example", 443)  # noqa: SLF001
        line.sock = theirs
        line.request("GET", "/", preload_content=False)
        with closing(line.getresponse()) as answer:
            pieces: Any = _client()._pieces(answer, ANSWER_LIMIT_BYTES)  # noqa: SLF001
            return answer.status, dict(answer.headers), b"".join(pieces)


@cache
def _stall() -> StallLimit:
    return StallLimit(60, 60, lambda: None)


@cache
def _client() -> HttpClient:
    return HttpClient(ClientTls(None))


class _Server:
    def greet(self, client: socket.socket) -> None:
        """Let it stay."""

    def answer(self, peer: object, method: str, target: str) -> Told:
        del peer, method
        with suppress(ValueError):
            captures.page_request(answers._parameters(answers._split(target).query, frozenset()))  # noqa: SLF001
        return Told(200, b"{}")


def _http(content: bytes) -> object:
    """Send requests over one connection to `doorstep serve`."""
    ours, theirs = socket.socketpair()
    with ours, _Line(fileno=theirs.detach()) as line:
        ours.settimeout(5)
        line.settimeout(5)
        ours.sendall(content)
        ours.shutdown(socket.SHUT_WR)
        Connection(line, ("127.0.0.1", 1), _Server())  # type: ignore[arg-type]
    return None


def _address(content: bytes) -> object:
    address = answers._split(content.decode("latin-1"))  # noqa: SLF001 - the whole needs a queue
    allowed = frozenset({"state", "after", "limit"})
    return captures.page_request(answers._parameters(address.query, allowed))  # noqa: SLF001


def _barcodes(content: bytes) -> object:
    """Read codes on a picture with one byte a pixel; its first two bytes are the width."""
    width = int.from_bytes(content[:2], "big") % 2_000 or 1
    height = (len(content) - 2) // width if len(content) > 2 else 0
    luma = np.frombuffer(content, np.uint8, max(height, 0) * width, 2 if height else 0)
    found = luma.reshape(max(height, 0), width)
    return barcodes.read(found), barcodes.is_dark(found)


def _queue(content: bytes) -> object:
    """Open the queue's database as capture does, and as other processes do."""
    path = _layout().state / "fuzzed.db"
    for part in opening.parts(path):
        part.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o600)
    for migrates in (True, False):
        with (
            suppress(NotNow),
            bounds.limited(),
            closing(opening.open_database(path, migrates=migrates, patience_s=0.1)),
        ):
            pass
    return None


DEVICE_PARSERS: Final = (
    Parser("socket", control._request, (ValueError,), Shape.JSON, control.DOCUMENT_LIMIT_BYTES),  # noqa: SLF001 - read off a socket
    Parser(
        "process-answer", _answer_of_a_process, (ValueError,), Shape.JSON, control.LINE_LIMIT_BYTES
    ),
    Parser("gpsd", _gpsd, (), Shape.JSON, 16_384),
    Parser("chrony", lambda reply: chrony.parse(reply, 0x01020304), (), most_bytes=1_024),
    Parser("superblock", superblock.read, (), most_bytes=superblock.LENGTH),
    Parser("label-in-folder", _label_in_a_folder, (), Shape.JWS, 20_000),
    Parser("kept-status", _kept_status, (NotNow,), Shape.JSON, 8_192),
    Parser("doctor", _doctor, (), Shape.JSON, 8_192),
    Parser("kept-energy", _kept_energy, (), Shape.JSON, 8_192),
    Parser("trust-files", _time, (), Shape.JSON, 8_400_000),
    Parser("owner", lambda text: owners._result(text), (FailedElsewhere,), Shape.JSON, 1_048_576),  # noqa: SLF001, PLW0108 - read off a pipe
    Parser("retired", _retired, (NotNow,), Shape.JSON, 65_536),
    Parser("receipts", _receipts, (), Shape.JSON, 65_536),
    Parser("tus-answer", _tus, (), most_bytes=65_536),
    Parser(
        "server-answer",
        _answered,
        (OSError, HTTPException, urllib3.exceptions.HTTPError, ValueError),
        most_bytes=_ANSWER_BYTES,
    ),
    Parser("http", _http, (), most_bytes=3 * HEAD_LIMIT_BYTES),
    Parser("address", _address, (ValueError,), most_bytes=HEAD_LIMIT_BYTES),
    Parser("barcodes", _barcodes, (), most_bytes=1_000_000),
    Parser("queue", _queue, (sqlite3.Error, DoorstepError), most_bytes=2_000_000),
)
