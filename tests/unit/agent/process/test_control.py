"""A line in, a line out; for each client and each order of bytes."""

import getpass
import json
import resource
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from agent.errors import DoorstepError, NotNow, StorageFault, UnknownItem
from agent.process import control
from tests.support.waiting import until

STANDARD_STREAMS: Final = 3


def echo(request: dict[str, Any], user: str) -> dict[str, Any]:
    if request.get("fail"):
        raise UnknownItem("no such thing")
    return {"asked": request, "user": user}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "one.sock"
    with control.serve(path, echo):
        yield path


def say(path: Path, raw: bytes) -> dict[str, Any]:
    """Return the answer to raw bytes, after which the sending side is closed."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        line.sendall(raw)
        line.shutdown(socket.SHUT_WR)
        answer: dict[str, Any] = json.loads(line.makefile().readline())
    return answer


def test_answer_knows_the_request_and_who_asks(path: Path) -> None:
    answer = control.ask(path, {"status": True}, 5)

    assert answer == {"asked": {"status": True}, "user": getpass.getuser()}


def test_socket_is_for_owner_and_group(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "raw", [b"", b"\n", b"hello\n", b"[]\n", b"5\n", b"\xff\n", b'{"a": 1}', b"[" * 60_000 + b"\n"]
)
def test_garbage_is_reported_as_an_error(path: Path, raw: bytes) -> None:
    answer = say(path, raw)

    assert answer["exit"] == 2
    assert answer["error"].startswith("not a request: ")


def test_failure_is_reported_with_its_exit_code(path: Path) -> None:
    with pytest.raises(DoorstepError, match="no such thing") as raised:
        control.ask(path, {"fail": True}, 5)

    assert raised.value.exit_code == 2


def test_nobody_listens(tmp_path: Path) -> None:
    assert control.ask(tmp_path / "none.sock", {}, 5) is None
    assert control.ask(tmp_path / "no" / "folder.sock", {}, 5) is None


def test_socket_of_a_dead_process_is_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "old.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert control.ask(path, {}, 5) is None

    with control.serve(path, echo):
        assert control.ask(path, {}, 5) is not None
    assert not path.exists()
    assert caplog.records == []


def test_two_do_not_listen_on_one_path(path: Path) -> None:
    with pytest.raises(NotNow, match="only one may run"), control.serve(path, echo):
        pass

    assert control.ask(path, {}, 5) is not None


def test_folder_that_is_missing_is_a_storage_fault(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageFault, match="cannot be listened on"),
        control.serve(tmp_path / "no" / "folder.sock", echo),
    ):
        pass


def test_folder_may_lie_deep(tmp_path: Path) -> None:
    """A socket's address holds 108 bytes only."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)

    with control.serve(deep / "one.sock", echo):
        assert control.ask(deep / "one.sock", {}, 5) is not None


def test_slow_client_blocks_nobody(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(path))
        slow.sendall(b'{"never')

        assert control.ask(path, {"quick": 1}, 5) is not None


def test_too_many_clients_are_told_to_come_again(path: Path) -> None:
    lines = [socket.socket(socket.AF_UNIX) for _ in range(control.CLIENTS_LIMIT)]
    for line in lines:
        line.connect(str(path))

    with pytest.raises(DoorstepError, match="too many clients") as raised:
        control.ask(path, {}, 5)

    assert raised.value.exit_code == 75
    for line in lines:
        line.close()


def test_client_without_a_place_to_wait_is_asked_to_come_again(tmp_path: Path) -> None:
    """A process that is too busy to let anybody in: the kernel has only so many places."""
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as held:
        listener.bind(str(tmp_path / "busy.sock"))
        listener.listen(0)
        held.enter_context(socket.socket(socket.AF_UNIX)).connect(listener.getsockname())

        with pytest.raises(NotNow, match="too many clients at once; ask again"):
            control.ask(tmp_path / "busy.sock", {}, 5)


def test_line_that_does_not_come_in_time_is_not_now(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine may let a client wait between its connection and its line."""
    monkeypatch.setattr(control, "LINE_TIMEOUT_S", 0.1)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5)
        line.connect(str(path))

        answer = json.loads(line.makefile().readline())

    assert answer == {"error": "no whole line within 0.1 s; ask again", "exit": 75}


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing more: EMFILE.

    The limit is at the standard streams, which are always open. At the lowest free number, a thread
    of an earlier test that closes its socket only now would make room again.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (STANDARD_STREAMS, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_want_of_descriptors_ends_no_listening(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says it once, and a client that came meanwhile is answered when it is over."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5)
        with no_descriptors():
            line.connect(str(path))
            until(lambda: "event=client_not_let_in" in caplog.text)
            time.sleep(2 * control.ACCEPT_AGAIN_S)  # a second line would come in this time
        line.sendall(b"{}\n")

        assert json.loads(line.makefile().readline())["asked"] == {}
    assert caplog.text.count("event=client_not_let_in") == 1
    assert "Too many open files" in caplog.text


def test_answer_that_does_not_come_is_not_now(tmp_path: Path) -> None:
    over, looks = threading.Event(), []

    def never(_request: dict[str, Any], _user: str) -> dict[str, Any]:
        over.wait()
        return {}

    with control.serve(tmp_path / "mute.sock", never):
        with pytest.raises(NotNow, match="no usable answer"):
            control.ask(tmp_path / "mute.sock", {}, 0.6, lambda: looks.append(1))
        over.set()

    assert looks


# Documents


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[Path]:
    """A socket that documents may come to; it answers with how long they are."""
    path = tmp_path / "wide.sock"

    def measure(request: dict[str, Any], _user: str) -> dict[str, Any]:
        return {"chars": len(request["text"])}

    with control.serve(path, measure, limit_bytes=control.DOCUMENT_LIMIT_BYTES):
        yield path


@pytest.mark.parametrize("chars", [65_000, 65_536, 65_537, 131_072, 200_000, 5_900_000])
def test_a_document_of_any_length_comes_whole(wide: Path, chars: int) -> None:
    assert control.ask(wide, {"offer": "manifest", "text": "x" * chars}, 5) == {"chars": chars}


@pytest.mark.parametrize(
    ("socket_of", "chars", "limit"), [("wide", 6_200_000, 6_000_000), ("path", 300_000, 65_536)]
)
def test_a_line_that_is_too_long_for_its_socket_is_not_read_on(
    request: pytest.FixtureRequest, socket_of: str, chars: int, limit: int
) -> None:
    place = request.getfixturevalue(socket_of)

    with pytest.raises(DoorstepError, match=f"a line of more than {limit} bytes"):
        control.ask(place, {"offer": "manifest", "text": "x" * chars}, 5)


def test_long_lines_are_read_one_at_a_time_and_short_ones_meanwhile(wide: Path) -> None:
    """Sixteen at once would take a hundred megabytes."""
    with socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as second:
        slow.connect(str(wide))
        slow.sendall(
            b'{"offer": "manifest", "text": "' + b"x" * 1_000_000
        )  # the kernel holds 0.2 MB: the rest is read
        second.connect(str(wide))
        second.settimeout(0.5)
        with pytest.raises(TimeoutError):
            second.sendall(b'{"offer": "manifest", "text": "' + b"x" * 5_000_000)
        short = control.ask(wide, {"text": "short"}, 5)
        slow.sendall(b'"}\n')
        first = json.loads(slow.makefile().readline())

    assert short == {"chars": 5}
    assert first == {"chars": 1_000_000}


LONG: Final = "x" * control.FREE_LINE_BYTES


@pytest.mark.parametrize(
    "line",
    [
        b'{"offer": "manifest", "text": [' + b"[]," * 1_500_000 + b"0]}",
        b'{"offer": ' + b'{"":' * 1_000_000 + b"0" + b"}" * 1_000_001,
        b"{" + b",".join(b'"%d": 0' % number for number in range(400_000)) + b"}",
        json.dumps({"status": LONG}).encode(),
        json.dumps({"offer": "manifest", "text": LONG, "more": None}).encode(),
        b'{"text": "\\\\", "offer": ["' + LONG.encode() + b'"]}',
        b'{"text": "\\"", "offer": ["' + LONG.encode() + b'"]}',
    ],
    ids=["list", "nested", "members", "no offer", "null", "escaped backslash", "escaped quote"],
)
def test_long_line_that_is_no_flat_offer_is_refused_unparsed(wide: Path, line: bytes) -> None:
    """Parsed, a line of 6 MB takes more than 200 MB: capture would be killed during a press."""
    answer = say(wide, line + b"\n")

    assert answer["error"].endswith(
        "over 4096 bytes, and not an offer of strings and numbers alone"
    )
    assert answer["exit"] == 2


@pytest.mark.parametrize("text", ["\\ud83d", LONG + "\\udc00", "\\uD83D\\ud83d", "\ud83d"])
def test_text_with_half_a_character_is_no_request(wide: Path, text: str) -> None:
    """The text cannot be encoded again, so it ended the thread of a client that offered it."""
    answer = say(
        wide, b'{"offer": "evidence", "text": "%b"}\n' % text.encode("utf-8", "surrogatepass")
    )

    assert answer["exit"] == 2
    assert answer["error"].startswith("not a request: ")


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f4e6",
        LONG + "\U0001f4e6",
        LONG + '"[{',
        LONG + "\\",
        LONG + '\\"\n\u00e4',
        "\\" * 9_000,
    ],
)
def test_offer_may_hold_any_text_of_whole_characters(wide: Path, text: str) -> None:
    asked = {"text": text, "offer": "manifest", "v": -1.5e3}

    assert control.ask(wide, asked, 5) == {"chars": len(text)}
