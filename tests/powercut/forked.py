"""Work in a forked child: it has everything imported, and it may die without harm."""

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

WITHIN_S: Final = 120
"""A child that takes longer hangs: its work takes a few seconds at most."""


class ChildFailed(Exception):
    """The child raised, or was killed; the message ends with what it said last."""


class Forked(Generic[T]):
    """A child at work; nothing that it has open is closed in order when its work is done.

    `within_s` kills it; 0 lets it run.
    """

    def __init__(self, work: Callable[[], T], within_s: int = WITHIN_S) -> None:
        self._read_end, write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _be_child(work, write_end, within_s)
        os.close(write_end)

    def result(self) -> T:
        """Wait for what the work returned.

        Raises:
            ChildFailed: it returned nothing.
        """
        try:
            with os.fdopen(self._read_end, "rb") as pipe:
                answer = pipe.read()
        finally:
            status = os.waitpid(self._pid, 0)[1]
        if not answer:
            raise ChildFailed(f"killed by signal {os.WTERMSIG(status)}, or hung")
        worked, value = pickle.loads(answer)
        if not worked:
            raise ChildFailed(value)
        made: T = value
        return made


def in_child(work: Callable[[], T], within_s: int = WITHIN_S) -> T:
    """What `work` returned in a child; raises ChildFailed as `Forked.result`."""
    return Forked(work, within_s).result()


def _be_child(work: Callable[[], Any], write_end: int, within_s: int) -> None:
    signal.alarm(within_s)
    try:
        answer = (True, work())
    except BaseException:  # noqa: BLE001 - the parent raises it again
        answer = (False, traceback.format_exc())
    with os.fdopen(write_end, "wb") as pipe:
        pickle.dump(answer, pipe)
    os._exit(0)
