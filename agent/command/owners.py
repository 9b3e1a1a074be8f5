"""Each owner's part of a command, in its own process, so that root follows no user's links."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from agent.command.shared import become
from agent.errors import DoorstepError, ExitCode, FailedElsewhere
from hardware.foreign import read_json

Report = dict[str, Any]
"""The result of an owner's part; JSON types."""

_ANSWER_LIMIT_BYTES: Final = 1_048_576
"""Most that a part tells: a fleet document and a few certificates are a tenth."""


def run_as(owner: os.stat_result | None, act: Callable[[], Report]) -> Report:
    """Run `act` in a child that has become `owner` for good; None runs it in this process.

    The result of `act` must be JSON types; the child's answer is input, like any other user's.

    Raises:
        FailedElsewhere: `act` raised a DoorstepError, which has the same message and exit code.
    """
    if owner is None:
        return act()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _run(owner, act, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        text = told.read(_ANSWER_LIMIT_BYTES)
    os.waitpid(child, 0)
    return _result(text)


def _run(owner: os.stat_result, act: Callable[[], Report], writer: int) -> None:
    """Run the child; a bug leaves its traceback."""
    try:
        become(owner)
        try:
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


def _result(text: bytes) -> Report:
    try:
        told = read_json(text)
        if "error" in told:
            raise FailedElsewhere(str(told["error"]), int(told["exit"]))
        done = told["done"]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise FailedElsewhere("a part ended without a word", ExitCode.FAULT) from error
    if not isinstance(done, dict):
        raise FailedElsewhere("a part told something else", ExitCode.FAULT)
    return done
