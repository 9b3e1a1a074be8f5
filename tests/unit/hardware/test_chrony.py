"""Whom chrony follows: real daemons with a receiver, with a server, and with nobody."""

import socket
import struct
import time
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware import chrony, clock_system
from hardware.chrony import Reference, parse, reference
from hardware.clock import ClockSource
from hardware.clock_system import SystemWitness
from tests.support.chrony import chronyd, own_address, receiver
from tests.support.nmea import free_port
from tests.support.waiting import until

GPS, NETWORK = Reference("GPS", is_network=False), Reference("192.0.2.7", is_network=True)


def answer(
    *,
    sequence: int = 7,
    refid: bytes = b"GPS\0",
    address: str = "",
    leap: int = 0,
    head: tuple[int, ...] = (6, 2, 33, 5, 0),
) -> bytes:
    family = {"": 0}.get(address, 2 if ":" in address else 1)
    kind = socket.AF_INET6 if family == 2 else socket.AF_INET
    packed = socket.inet_pton(kind, address) if address else b""
    version, packet, command, reply, status = head
    start = struct.pack("!BBxxHHH6xI8x", version, packet, command, reply, status, sequence)
    return start + struct.pack("!4s16sHxxHH48x", refid, packed, family, 1, leap)


def test_a_reference_clock_has_a_name_and_no_address() -> None:
    assert parse(answer(), 7) == GPS


@pytest.mark.parametrize(
    ("address", "is_network"),
    [("192.0.2.7", True), ("2001:db8::7", True), ("127.0.0.1", False), ("::1", False)],
)
def test_a_server_is_the_network_unless_on_this_machine(address: str, is_network: bool) -> None:
    """A time server on this machine has the time from a receiver: it has no other source."""
    assert parse(answer(refid=b"\x12\x34\x56\x78", address=address), 7) == Reference(
        address, is_network
    )


@pytest.mark.parametrize(
    "reply",
    [
        answer(sequence=8),
        answer(leap=3),
        answer(refid=b"\x7f\x7f\x01\x01"),
        answer(refid=bytes(4)),
        answer(head=(5, 2, 33, 5, 0)),
        answer(head=(6, 2, 33, 5, 2)),
        answer(head=(6, 2, 33, 1, 0)),
        answer()[:-1],
        b"",
    ],
    ids=["another's", "unsynchronised", "itself", "nobody", "old", "no", "other", "short", "empty"],
)
def test_invalid_answer_names_nobody(reply: bytes) -> None:
    assert parse(reply, 7) is None


def test_name_that_cannot_be_printed_is_shown_in_digits() -> None:
    assert parse(answer(refid=b"\x01\x02\xff\n"), 7) == Reference("0102ff0a", is_network=False)


@given(st.binary(max_size=300))
def test_garbage_is_no_answer(reply: bytes) -> None:
    assert parse(reply, 7) is None


def test_missing_chronyd_is_reported_at_once() -> None:
    assert reference(free_port()) is None


def test_a_daemon_that_hangs_costs_a_tenth_of_a_second() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        began_s = time.monotonic()

        assert reference(silent.getsockname()[1]) is None

    assert time.monotonic() - began_s < 10 * chrony.WAIT_S


def test_the_daemon_is_asked_once_in_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A press must not wait for it."""
    monkeypatch.setattr(clock_system, "_kernel_is_synchronised", lambda: True)
    asked = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                request, client = daemon.recvfrom(1024)
                if request == b"end":
                    return
                asked.append(request)
                sequence = int.from_bytes(request[8:12], "big")
                daemon.sendto(answer(sequence=sequence), client)

        server = Thread(target=serve)
        server.start()
        witness = SystemWitness(port=daemon.getsockname()[1])
        told = [witness() for _ in range(20)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", daemon.getsockname())
        server.join()

    assert told == [ClockSource.GNSS] * 20
    assert len(asked) == 1
    assert len(asked[0]) == len(answer()), "chronyd answers with no more than it was sent"


# The real one


@pytest.mark.slow
def test_a_real_chronyd_says_that_it_follows_its_receiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel is content then, and says no more; its word counts as the receiver's."""
    monkeypatch.setattr(clock_system, "_kernel_is_synchronised", lambda: True)
    with receiver(tmp_path) as line, chronyd(tmp_path, line) as port:
        before = reference(port)
        until(lambda: reference(port) is not None, 30.0)

        assert before is None
        assert reference(port) == GPS
        assert SystemWitness(port=port)() is ClockSource.GNSS


@pytest.mark.slow
def test_a_real_chronyd_says_that_it_follows_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock_system, "_kernel_is_synchronised", lambda: True)
    ntp, address = free_port(), own_address()
    serving = [f"port {ntp}", f"bindaddress {address}", "local stratum 5", "allow all"]
    asking = f"server {address} port {ntp} iburst minpoll 0 maxpoll 0"
    with chronyd(tmp_path / "server", *serving), chronyd(tmp_path / "client", asking) as port:
        until(lambda: reference(port) is not None, 30.0)

        assert reference(port) == Reference(address, is_network=True)
        assert SystemWitness(port=port)() is ClockSource.NTP
