"""The control socket: one JSON line in, one JSON line out, between commands and daemons.

`socketserver` was tried and passed every test, but was no shorter: limits, missing descriptors,
the socket's mode, a quick end and failures each need one of its methods overridden.
"""

import json
import logging
import os
import pwd
import re
import select
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Semaphore
from typing import Any, Final

from agent.errors import DoorstepError, ExitCode, FailedElsewhere, NotNow, StorageFault
from agent.queue.disk import FILE_MODE
from hardware.change_detector import ChangeDetector
from hardware.foreign import read_json

log = logging.getLogger(__name__)

LINE_LIMIT_BYTES: Final = 65_536
"""Longest line in both directions, except for documents; other requests have 100 bytes."""

DOCUMENT_LIMIT_BYTES: Final = 6_000_000
"""Longest line that brings a document: the longest manifest has 4.2 MB."""

FREE_LINE_BYTES: Final = 4_096
"""Longest request that may be any JSON object: once parsed it takes up to 40 times its length.

Measured in November 2026 with Python 3.13: 6 MB of empty lists took 209 MB.
"""

PIECE_BYTES: Final = 65_536
"""Most that is read at once: a document comes in a hundred pieces."""

LINE_TIMEOUT_S: Final = 10.0
"""Longest time for a line to arrive, or to be taken: a person may type it into socat."""

CLIENTS_LIMIT: Final = 16
"""Most clients of one user at once, so that other users get in. A device has two or three."""

TICK_S: Final = 0.5
"""Interval at which a waiting client calls back: a progress bar must not look stuck."""

ACCEPT_AGAIN_S: Final = 0.2
"""Wait after a client could not connect, mostly because descriptors ran out: no busy loop."""

_CREDENTIALS: Final = struct.Struct("3i")
"""struct ucred: pid, uid, gid. Source: unix(7), SO_PEERCRED."""

_MEMBER: Final = rb' ?"[^"]*" ?: ?(?:"[^"]*"|[0-9.eE+-]{1,40}) ?'
_FLAT: Final = re.compile(rb" ?\{%b(?:,%b){0,7}\} ?" % (_MEMBER, _MEMBER))
"""An object of at most eight members, all strings or numbers, in a line without escaped quotes.

Each repetition is bounded or ends at a quote, so the time grows with the length of the line only.
"""

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
"""Half of a character above U+FFFF; a text with only one half cannot be encoded as UTF-8."""

Line = dict[str, Any]
Answering = Callable[[Line, str], Line]
"""Function from a request, and the name of the user who sent it, to the answer."""


class _Service:
    """The answers of a socket, and the number of clients at once.

    It reads and answers lines of more than LINE_LIMIT_BYTES one at a time: sixteen of them would
    take a hundred megabytes.
    """

    def __init__(self, answer: Answering, limit_bytes: int) -> None:
        self.answer = answer
        self.limit_bytes = limit_bytes
        self.places = defaultdict[str, Semaphore](lambda: Semaphore(CLIENTS_LIMIT))
        self.long_lines = threading.Lock()
        self.stopping = threading.Event()


@contextmanager
def serve(path: Path, answer: Answering, *, limit_bytes: int = LINE_LIMIT_BYTES) -> Iterator[None]:
    """Answer on a socket at `path`, mode 0660, until the block ends; each client has a thread.

    A socket that a dead process left is replaced. What `answer` raises as a DoorstepError becomes
    `{"error": ..., "exit": ...}`; so does a line that is no JSON object of Unicode text, or is
    longer than `limit_bytes`, or is longer than FREE_LINE_BYTES and is no flat offer.

    Raises:
        NotNow: another process listens there.
        StorageFault: the socket cannot be made.
    """
    listener, service = _listen(path), _Service(answer, limit_bytes)
    accepting = threading.Thread(target=_accept, args=(listener, service), daemon=True)
    accepting.start()
    try:
        yield
    finally:
        service.stopping.set()
        with suppress(OSError):
            path.unlink()
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread; closing alone does not
        accepting.join()
        listener.close()


def ask(
    path: Path,
    request: Line,
    timeout_s: float | None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Line | None:
    """Send one request and wait for its answer; None if no process listens at `path`.

    Calls `meanwhile` every half second of the wait.

    Raises:
        NotNow: no answer within `timeout_s` (None waits for ever), or the other end went away.
        StorageFault: this user may not ask there.
        FailedElsewhere: the answer is an error; it gives the message and the exit code.
    """
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(LINE_TIMEOUT_S)
        try:
            with _short(path) as name:
                line.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except PermissionError as error:
            words = f"{path}: {error.strerror}; ask as a member of its group"
            raise StorageFault(words) from error
        except BlockingIOError as error:  # more wait to be let in than `listen` has places for
            raise NotNow(f"{path}: too many clients at once; ask again") from error
        except OSError as error:
            raise NotNow(f"{path}: {error.strerror}") from error
        try:
            with suppress(BrokenPipeError):  # it may have been answered before it was whole
                line.sendall(_encoded(request))
            _await(line, timeout_s, meanwhile)
            answer = _decoded(_read_line(line, LINE_LIMIT_BYTES))
        except (OSError, ValueError) as error:
            raise NotNow(f"{path}: no usable answer: {error}") from error
    if "error" in answer:
        code = answer.get("exit")
        raise FailedElsewhere(str(answer["error"]), code if type(code) is int else ExitCode.FAULT)
    return answer


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short(path) as name:
            _check_unserved(path, name)
            path.unlink(missing_ok=True)
            listener.bind(name)
        path.chmod(FILE_MODE)
        listener.listen(CLIENTS_LIMIT)
    except OSError as error:
        listener.close()
        raise StorageFault(f"{path}: cannot be listened on: {error.strerror}") from error
    except NotNow:
        listener.close()
        raise
    return listener


def _check_unserved(path: Path, name: str) -> None:
    with (
        socket.socket(socket.AF_UNIX) as probe,
        suppress(FileNotFoundError, ConnectionRefusedError),
    ):
        probe.settimeout(LINE_TIMEOUT_S)
        probe.connect(name)
        raise NotNow(f"{path}: another process listens there; only one may run")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Yield a path of at most 108 bytes for a socket in a folder of any depth. Source: unix(7)."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _accept(listener: socket.socket, service: _Service) -> None:
    for client in _clients(listener, service.stopping):
        client.settimeout(LINE_TIMEOUT_S)
        user = _user(client)
        if service.places[user].acquire(blocking=False):
            threading.Thread(target=_serve_one, args=(client, user, service), daemon=True).start()
        else:
            _say(client, _error("too many clients; ask again", ExitCode.LATER))
            client.close()


def _clients(listener: socket.socket, stopping: threading.Event) -> Iterator[socket.socket]:
    """Yield each client that connects, until `stopping` is set and the listener shut down."""
    told = ChangeDetector[str | None](None)
    while not stopping.is_set():
        try:
            client, _ = listener.accept()
        except OSError as error:
            if not stopping.is_set() and told.changed(error.strerror):
                line = "event=client_not_let_in error=%r meaning=commands_wait_until_it_passes"
                log.warning(line, error.strerror)
            stopping.wait(ACCEPT_AGAIN_S)
        else:
            told.last = None
            yield client


def _serve_one(client: socket.socket, user: str, service: _Service) -> None:
    try:
        with client, ExitStack() as held:
            _say(client, _answered(client, user, service, held))
    finally:
        service.places[user].release()


def _answered(client: socket.socket, user: str, service: _Service, held: ExitStack) -> Line:
    """Return the answer to a client; `held` releases the place of a long line after the answer."""

    def grow() -> None:
        if not service.long_lines.acquire(timeout=LINE_TIMEOUT_S):
            raise NotNow("another document is being read; ask again")
        held.callback(service.long_lines.release)

    try:
        request = _request(_read_line(client, service.limit_bytes, grow))
    except NotNow as error:
        return _error(str(error), error.exit_code)
    except TimeoutError:
        words = f"no whole line within {LINE_TIMEOUT_S:g} s; ask again"
        return _error(words, ExitCode.LATER)
    except (OSError, ValueError) as error:
        return _error(f"not a request: {error}", ExitCode.USAGE)
    try:
        return service.answer(request, user)
    except DoorstepError as error:
        return _error(str(error), error.exit_code)


def _say(client: socket.socket, answer: Line) -> None:
    with suppress(OSError):  # the client has gone: nobody is left to be told
        client.sendall(_encoded(answer))


def _error(message: str, code: int) -> Line:
    return {"error": message, "exit": code}


def _user(client: socket.socket) -> str:
    raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return user_name(_CREDENTIALS.unpack(raw)[1])


def user_name(uid: int) -> str:
    """Return a user's name as `Answering` gets it; the number if the user has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _await(line: socket.socket, timeout_s: float | None, meanwhile: Callable[[], None]) -> None:
    deadline_s = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        if select.select([line], [], [], min(left_s, TICK_S))[0]:
            return
        meanwhile()
    raise TimeoutError(f"none within {timeout_s:g} s")


def _read_line(
    line: socket.socket, limit_bytes: int, grow: Callable[[], None] = lambda: None
) -> bytes:
    """Read a line without its end; call `grow` once if it is longer than LINE_LIMIT_BYTES."""
    read = bytearray()
    deadline_s = time.monotonic() + LINE_TIMEOUT_S
    is_long = False
    while (end := read.find(b"\n", -PIECE_BYTES)) < 0:
        if len(read) > limit_bytes:
            raise ValueError(f"a line of more than {limit_bytes} bytes")
        if len(read) > LINE_LIMIT_BYTES and not is_long:
            grow()  # may have waited
            is_long, deadline_s = True, time.monotonic() + LINE_TIMEOUT_S
        read += _piece(line, deadline_s)
    line.settimeout(LINE_TIMEOUT_S)
    return bytes(read[:end])


def _piece(line: socket.socket, deadline_s: float) -> bytes:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError(f"no whole line within {LINE_TIMEOUT_S:g} s")
    line.settimeout(left_s)
    piece = line.recv(PIECE_BYTES)
    if not piece:
        raise ValueError("the line ended early")
    return piece


def _encoded(line: Line) -> bytes:
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def _request(line: bytes) -> Line:
    """Return the request in a line; a long line is parsed only if it is a flat offer."""
    if len(line) <= FREE_LINE_BYTES:
        return _decoded(line)
    no_offer = f"over {FREE_LINE_BYTES} bytes, and not an offer of strings and numbers alone"
    if not _FLAT.fullmatch(line.replace(rb"\\", b"").replace(rb"\"", b"")):
        raise ValueError(no_offer)
    request = _decoded(line)
    if "offer" not in request:
        raise ValueError(no_offer)
    return request


def _decoded(line: bytes) -> Line:
    found = read_json(line)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - told like any other bad line
    if _SURROGATE.search(line):
        json.dumps(found, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return found
