"""Two processes over one backend's rows and objects, each with an office of its own."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final, NamedTuple

from doorstep_backend.engines.sql import Conflict, Database
from doorstep_backend.identity.closings import ITSELF, EndKind
from doorstep_backend.identity.commands import IdentityCommands
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.office.cases import Closing, Report
from doorstep_backend.office.casework import CaseOverError, Decision, NoCaseError
from doorstep_backend.office.corrections import CannotBindError, State, Why
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.model import open_office
from doorstep_backend.wire.store import Store

WHO: Final = "dispatch ana"

REFUSED: Final = (CannotBindError, NotDone, CaseOverError, NoCaseError)
"""Errors with which the backend changes nothing and says why."""

BROKE: Final = (Conflict, OSError)
"""Errors that show a person that something broke, but not why; any other ends the process."""

ANSWER_S: Final = 60.0
"""Longest wait for both processes: ten times what an engine may take for one step."""


class Deed(NamedTuple):
    """The action of one process; `verb` is a key of VERBS."""

    verb: str
    words: tuple[str, ...]


class Said(NamedTuple):
    """The result of a deed; `why` is empty if it was done. A refused deed `broke` or says why."""

    done: bool
    why: str = ""
    broke: bool = False


def _correct(commands: IdentityCommands, capture_id: str, number: str) -> None:
    photo, now = commands.office.filing.photo(capture_id), datetime.now(UTC)
    assert photo is not None, "a photo that waits for nothing else is shown"
    commands.office.corrections.correct(
        capture_id,
        photo.version,
        to=number,
        state=State.SHOWN,
        who=WHO,
        why=Why.WRONG_ORDER,
        now=now,
    )


def _report(commands: IdentityCommands, number: str, capture_id: str) -> None:
    office, what = commands.office, Report.NOT_MY_DOOR
    office.casework.report(office.orders.find(number), capture_id, what, datetime.now(UTC))


def _close(commands: IdentityCommands, case_id: str, how: str) -> None:
    case = commands.office.cases.find(case_id)
    assert case is not None, "a case is forgotten after a year"
    decision = Decision(Closing(how), "", 0)
    commands.office.close_case(case, decision, WHO, datetime.now(UTC))


def _retire(commands: IdentityCommands, device_id: str) -> None:
    ending = DeviceEnding(commands.register, commands.office)
    asyncio.run(ending.while_serving(device_id, EndKind.RETIRED, ITSELF, datetime.now(UTC)))


VERBS: Final[dict[str, Callable[..., object]]] = {
    "bind": lambda commands, photo, number: commands.office.corrections.bind(
        photo, number, WHO, datetime.now(UTC)
    ),
    "correct": _correct,
    "discard": lambda commands, photo: commands.office.corrections.discard(
        photo, WHO, datetime.now(UTC)
    ),
    "report": _report,
    "close": _close,
    "opt out": lambda commands, number: commands.office.opt_out_order(number, True),
    "opt out address": lambda commands, address: commands.office.opt_out_address(address, True),
    "gone": lambda commands, device_id, to: commands.gone(device_id, to),
    "retire": _retire,
    "hold": lambda commands, number, case: commands.office.erasure.hold(
        number, case, datetime.now(UTC)
    ),
}


@dataclass(frozen=True)
class Pair:
    """The two processes, ready to act."""

    ends: tuple["Connection[Any, Any]", "Connection[Any, Any]"]

    def act(self, deeds: tuple[Deed, Deed], late_s: float) -> tuple[Said, Said]:
        """Let both processes act; return both results.

        Args:
            late_s: how much later the second one begins; the first one, if it is negative.
        """
        for end, deed, wait_s in zip(self.ends, deeds, (-late_s, late_s), strict=True):
            end.send((deed, max(wait_s, 0.0)))
        said = []
        for end in self.ends:
            assert end.poll(ANSWER_S), f"no answer within {ANSWER_S:g} s"
            said.append(end.recv())
        return said[0], said[1]


@contextmanager
def pair(folder: Path, *, locks: bool = True) -> Iterator[Pair]:
    """Run both processes over the backend in this folder, on the engines named in the environment.

    Args:
        locks: False breaks the backend: nothing waits for a lock that has a name. It shows that
            the rig can see a wrong end. SQLite has no such lock, so that this breaks nothing there.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    pipes = [context.Pipe() for _ in range(2)]
    processes = [
        context.Process(target=_run, args=(folder, theirs, barrier, locks), daemon=True)
        for _, theirs in pipes
    ]
    for one in processes:
        one.start()
    try:
        for ours, _ in pipes:
            assert ours.poll(ANSWER_S), "a process did not open its office"
            ours.recv()
        yield Pair((pipes[0][0], pipes[1][0]))
    finally:
        for one in processes:
            one.kill()
            one.join()


def _run(folder: Path, end: "Connection[Any, Any]", barrier: Barrier, locks: bool) -> None:
    if not locks:
        Database.exclusive_transaction = lambda self, name=None: self.transaction()  # type: ignore[method-assign] # noqa: ARG005
    commands = IdentityCommands.of(folder, open_office(Store(folder)))
    end.send("ready")
    while True:
        deed, wait_s = end.recv()
        barrier.wait()
        time.sleep(wait_s)
        try:
            VERBS[deed.verb](commands, *deed.words)
        except REFUSED as error:
            end.send(Said(done=False, why=str(error)))
        except BROKE as error:
            end.send(Said(done=False, why=str(error), broke=True))
        else:
            end.send(Said(done=True))
