"""Work in a forked child: it has everything imported, and it may die without harm."""

import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")

WITHIN_S: Final = 120
"""A child that takes longer hangs: its work takes a few seconds at most."""


WORKERS: Final = os.cpu_count() or 1
"""Children at once."""


class ChildFailed(Exception):
    """The child raised, or was killed; the message ends with what it said last."""


class Forked(Generic[T]):
    """A child at work; nothing that it has open is closed in order when its work is done.

    It fails after `within_s`; 0 lets it run.
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
        with os.fdopen(self._read_end, "rb") as pipe:
            answer = pipe.read()
        status = self.wait()
        if not answer:
            raise ChildFailed(f"it hung, or was killed: wait status {status}")
        worked, value = pickle.loads(answer)
        if not worked:
            raise ChildFailed(value)
        made: T = value
        return made

    def wait(self) -> int:
        """Wait for its end; 0 when that was seen before."""
        pid, self._pid = self._pid, 0
        return os.waitpid(pid, 0)[1] if pid else 0


@contextmanager
def within(limit_s: int) -> Iterator[None]:
    """Raise TimeoutError in the block once it took so long."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not done within {limit_s} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(limit_s)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def in_child(work: Callable[[], T], within_s: int = WITHIN_S) -> T:
    """Return the result of `work` in a child; raise ChildFailed as `Forked.result`."""
    child = Forked(work, within_s)
    try:
        return child.result()
    finally:
        child.wait()


def spread(work: Callable[[int, Sequence[S]], Sequence[T]], items: Sequence[S]) -> list[T]:
    """Deal the items out to WORKERS children; what all of them returned.

    `work` is called with the number of its child, and every nth item in their order.
    """
    workers = WORKERS
    children = [Forked(partial(work, n, items[n::workers]), 0) for n in range(workers)]
    try:
        return [one for child in children for one in child.result()]
    finally:
        for child in children:
            child.wait()


def _be_child(work: Callable[[], Any], write_end: int, within_s: int) -> None:
    try:
        with within(within_s):
            answer = (True, work())
    except BaseException:  # noqa: BLE001 - the parent raises it again
        answer = (False, traceback.format_exc())
    with os.fdopen(write_end, "wb") as pipe:
        pickle.dump(answer, pipe)
    os._exit(0)
