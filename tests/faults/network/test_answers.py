"""Answers that are not what they should be; after each the record lies where it must."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from agent.models import Item, State
from tests.faults.network.box import Ending, Fault
from tests.faults.network.rig import Exchange, Rig, in_memory, rig
from tests.support.rawserver import head

pytestmark = pytest.mark.slow

METHODS = [
    (Exchange.FIRST, "POST"),
    (Exchange.AGAIN, "HEAD"),
    (Exchange.AGAIN, "PATCH"),
    (Exchange.RECEIPT, "HEAD"),
    (Exchange.RECEIPT, "POST"),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    with in_memory() as folder, rig(folder) as made:
        yield made


@pytest.fixture
def one(shared: Rig) -> Rig:
    shared.inner.set()
    return shared


def pending(one: Rig, item: Item) -> list[str]:
    state = one.row(item).state
    return [] if state == State.PENDING else [f"it is {state}"]


# --- instead of the backend


@pytest.mark.parametrize(("exchange", "method"), METHODS)
def test_captive_portal_delivers_nothing(one: Rig, exchange: Exchange, method: str) -> None:
    """200 with HTML, to one method alone or to all."""
    for methods in ([method], []):
        item = one.prepare(exchange)
        one.inner.set(portal=True, methods=methods)
        one.attempt(item)

        assert one.outcome(item, pending(one, item)) == []


@contextmanager
def trap() -> Iterator[tuple[int, list[socket.socket]]]:
    """A port of another host, and who connected to it."""
    visitors: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                visitors.append(listener.accept()[0])

    with socket.create_server(("127.0.0.2", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1], visitors
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for visitor in visitors:
                visitor.close()


@pytest.mark.parametrize(("exchange", "method"), METHODS)
def test_redirect_is_not_followed(one: Rig, exchange: Exchange, method: str) -> None:
    """Neither to another host, nor to plain HTTP, nor to another path of the same host."""
    with trap() as (port, visitors):
        places = [f"{scheme}://127.0.0.2:{port}/files/x" for scheme in ("https", "http")]
        places += [f"//127.0.0.2:{port}/files", "/files/elsewhere", "http://127.0.0.1/files"]
        for status in (301, 302, 303, 307, 308):
            for place in places:
                item = one.prepare(exchange)
                one.inner.set(status=status, headers={"Location": place}, methods=[method])
                one.attempt(item)

                assert one.outcome(item, pending(one, item)) == [], (status, place)
        assert visitors == []


def test_plain_413_makes_one_record_suspect_and_no_more(one: Rig) -> None:
    """Any proxy can say it: the record waits, is told of, and goes when the proxy lets it."""
    item = one.prepare(Exchange.FIRST)
    one.inner.set(status=413, body="<html>Too Large", methods=["POST"])
    one.attempt(item)

    assert one.row(item).suspected == 1
    assert one.device.outbox.counts().suspected == 1
    assert one.outcome(item, pending(one, item)) == []


# --- what the backend signs


@pytest.mark.parametrize("mode", ["none", "other_id", "other_digest", "other_key", "garbage"])
@pytest.mark.parametrize("exchange", Exchange)
def test_wrong_receipt_delivers_nothing(one: Rig, exchange: Exchange, mode: str) -> None:
    """None, for another capture, for another digest, by another key, and garbage."""
    item = one.prepare(exchange)
    one.inner.set(receipt=mode, receipts_null=mode == "none")
    one.attempt(item)

    assert one.outcome(item, pending(one, item)) == []


def test_receipt_of_another_record_that_is_genuine_delivers_nothing(one: Rig) -> None:
    """Replayed: the right key signed it, for a record that it has."""
    earlier = one.prepare(Exchange.FIRST)
    one.attempt(earlier)
    token = one.row(earlier).decision
    item = one.prepare(Exchange.FIRST)
    told = {"Upload-Offset": str(item.bytes), "Doorstep-Receipt": str(token)}
    one.inner.set(status=201, headers=told)
    one.attempt(item)

    assert one.outcome(item, pending(one, item)) == []


@pytest.mark.parametrize("exchange", Exchange)
def test_signed_refusal_is_kept_and_goes_after_a_repair(one: Rig, exchange: Exchange) -> None:
    """The file stays on the device, and nothing counts as taken in."""
    item = one.prepare(exchange)
    if exchange is Exchange.RECEIPT:
        one.inner.forget()  # else it has been taken in already
    one.inner.set(refuse="damaged")
    one.attempt(item)

    assert one.row(item).state == State.REFUSED
    assert one.misplaced(item) == []
    assert one.inner.received(item.capture_id) is None
    one.device.outbox.retry(item.capture_id, 0.0)
    assert one.outcome(item, []) == []


# --- a backend that loses things


def cut_half_way(one: Rig) -> Item:
    item = one.prepare(Exchange.FIRST, 300_000)
    one.box.arm(Fault("up", 150_000))
    one.attempt(item)
    return item


def cut_in_the_second_piece(one: Rig) -> Item:
    item = one.prepare(Exchange.AGAIN, 600_000)
    one.box.arm(Fault("up", 400_000))
    one.attempt(item)
    return item


def unreceipted(one: Rig) -> Item:
    return one.prepare(Exchange.RECEIPT, 300_000)


@pytest.mark.parametrize("begun", [cut_half_way, cut_in_the_second_piece, unreceipted])
def test_upload_that_the_backend_forgot_is_sent_again(
    one: Rig, begun: Callable[[Rig], Item]
) -> None:
    item = begun(one)
    one.inner.forget()

    assert one.outcome(item, pending(one, item)) == []


def test_backend_that_forgets_again_and_again_gets_it_in_the_end(one: Rig) -> None:
    item = cut_half_way(one)
    for _ in range(5):
        one.pass_time(item)
        one.inner.forget()
        one.box.arm(Fault("up", 100_000))
        one.attempt(item)
        assert one.misplaced(item) == []

    one.inner.forget()
    assert one.outcome(item, pending(one, item)) == []


# --- early answers

WORDS = {
    "413": head(413, Content_Length=0),
    "401": head(401, Content_Length=0),
    "503": head(503, Content_Length=0, Retry_After=7),
    "200 of a portal": head(200, Content_Length=6) + b"<html>",
    "201 of nothing": head(201, Upload_Offset=0, Content_Length=0),
    "201 of a part": head(201, Upload_Offset=1000, Content_Length=0),
    "201 of it all": head(201, Upload_Offset=10**6, Content_Length=0),
    "409": head(409, Content_Length=0),
    "half an answer": b"HTTP/1.1 201 Created\r\nUpload-Off",
    "nothing": b"",
}


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("ending", [Ending.CLOSE, Ending.CUT])
def test_early_answer_and_the_end_of_the_line_delivers_nothing(
    one: Rig, words: str, ending: Ending
) -> None:
    """Before the request, after its head, in the body, and once it was read to its end."""
    extent = one.extent(Exchange.FIRST, 300_000)
    whole = extent.passed["up"]
    for after_bytes in (1, extent.head_bytes, extent.head_bytes + 100_000, whole):
        said = WORDS[words].replace(b"1000000", b"%d" % extent.item.bytes)
        fault = Fault("up", after_bytes, ending, said)

        assert one.harmed(fault, Exchange.FIRST, 300_000) == [], after_bytes
