"""Each owner's part of a command in a process of its own, so that root follows nobody's links."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from agent.command.shared import become_owner
from agent.errors import DoorstepError, ExitCode, FailedElsewhere, StorageFault

Report = dict[str, Any]
"""What an owner's part came to; JSON."""

_ANSWER_LIMIT_BYTES: Final = 1_048_576
"""Most that a part tells: a fleet document and a few certificates are a tenth."""


def as_owner(folder: Path, state: Path, act: Callable[[], Report]) -> Report:
    """Run `act` as the owner of `folder`: as root in a child that has become that user for good.

    What `act` returns must be JSON; what the child says is input, as of any other user. Another
    user than root, or one for whom root owns the whole `state`, goes on as what they are.

    Raises:
        FailedElsewhere: as what `act` raised as a DoorstepError.
        StorageFault: `folder` is not as a device's is.
    """
    if os.geteuid() != 0 or not _is_anothers(folder, state):
        return act()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run(folder, act, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        text = told.read(_ANSWER_LIMIT_BYTES)
    os.waitpid(child, 0)
    return _result(text)


def _is_anothers(folder: Path, state: Path) -> bool:
    """Whether it is another user's; not where root owns the state, or there is none yet."""
    try:
        whole, found = state.stat(), folder.lstat()
    except FileNotFoundError:
        return False
    remedy = "`systemd-tmpfiles --create` makes it as it should be"
    if not stat.S_ISDIR(found.st_mode):
        raise StorageFault(f"{folder}: not a folder; {remedy}")
    if found.st_uid != 0:
        return True
    if whole.st_uid != 0:
        raise StorageFault(f"{folder}: root's, where a process's own user is right; {remedy}")
    return False


def _run(folder: Path, act: Callable[[], Report], writer: int) -> None:
    """The child's whole life; a bug leaves its traceback."""
    try:
        become_owner(folder)
        try:
            _check_not_root(folder)
            told: Report = {"done": act()}
        except DoorstepError as error:
            told = {"error": str(error), "exit": int(error.exit_code)}
        with os.fdopen(writer, "w") as pipe:
            json.dump(told, pipe)
    finally:
        if sys.exc_info()[0] is not None:
            sys.excepthook(*sys.exc_info())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _check_not_root(folder: Path) -> None:
    """Somebody may have put another folder there since it was looked at."""
    if os.geteuid() == 0:
        raise StorageFault(f"{folder}: changed while it was looked at; run this again")


def _result(text: bytes) -> Report:
    try:
        told = json.loads(text)
        if "error" in told:
            raise FailedElsewhere(str(told["error"]), int(told["exit"]))
        done = told["done"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FailedElsewhere("a part ended without a word", ExitCode.FAULT) from error
    if not isinstance(done, dict):
        raise FailedElsewhere("a part told something else", ExitCode.FAULT)
    return done
