"""The other end of an operator command: a thread of the process that runs the backend."""

import shlex
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Client, Listener
from threading import Thread
from typing import Final

Actions = Mapping[str, Callable[..., object]]
"""Actions of an operator, by the first word of the command; the other words are arguments."""

DONE: Final = 0
FAILED: Final = 1
CANNOT: Final = 75
"""Exit codes of an operator command. Source: tests/conformance/README.md; 75 as in sysexits.h."""


@contextmanager
def commanded(actions: Actions) -> Iterator[str]:
    """Give the operator command that makes this process act."""
    with Listener(family="AF_UNIX") as listener:
        thread = Thread(target=_obey, args=(listener, actions))
        thread.start()
        socket = str(listener.address)
        try:
            yield shlex.join([sys.executable, "-m", "tests.conformance.operators", socket])
        finally:
            with Client(socket, "AF_UNIX") as line:
                line.send(None)
            thread.join()


def _obey(listener: Listener, actions: Actions) -> None:
    while True:
        with listener.accept() as line:
            words = line.recv()
            if words is None:
                return
            line.send(_answer(actions, words))


def _answer(actions: Actions, words: list[str]) -> tuple[int, str]:
    verb, *arguments = words
    if verb not in actions:
        return CANNOT, f'this backend has no "{verb}"'
    try:
        actions[verb](*arguments)
    except Exception:  # noqa: BLE001 - the command prints it, and fails
        return FAILED, traceback.format_exc()
    return DONE, ""
