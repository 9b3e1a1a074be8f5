"""The wrong command lines: each option and argument of each command, and each standard stream."""

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.command import commandline
from doorstep_backend import __main__ as backend
from tests.faults.commandlines.world import CAPTURE_ID, DEVICE_ID, ORDER

SEED: Final = 1
"""Chooses a sample: two runs try the same command lines."""

WRONG: Final = {
    "empty": "",
    "negative": "-1",
    "out of range": "99999",
    "huge": "99999999",
    "endless": "9" * 5000,
    "NaN": "nan",
    "infinite": "inf",
    "fraction": "1.5",
    "wrong type": "many",
    "not UTF-8": "\udcff",
    "control character": "a\x01\x1b[31m",
    "newline": "a\nb",
    "half an address": "https://[::1",
    "missing file": "missing",
    "below a missing folder": "missing/new.zip",
    "below a file": "file/new.zip",
    "file": "file",
    "folder": "folder",
    "unreadable file": "closed",
    "unreadable folder": "closed-folder",
    "below an unreadable folder": "closed-folder/new.zip",
    "long name": "x" * 300,
    "device": "/dev/null",
    "endless file": "/dev/zero",
    "pipe without a writer": "pipe",
    "text in UTF-16": "utf-16",
    "half a character": "half",
    "no number": "nan",
    "deep nesting": "deep",
    "folder of a stranger": "strange",
}
"""Wrong values of options and arguments; paths are in the folder that `world.make` fills."""

BROKEN_PIPE: Final = "output that nobody reads"

STREAMS: Final = {
    "standard input closed": "<&-",
    "standard output closed": ">&-",
    "standard error closed": "2>&-",
    "all streams closed": "<&- >&- 2>&-",
    "full output": ">/dev/full",
    "full error": "2>/dev/full",
    BROKEN_PIPE: "",
}
"""Redirections with which the shell starts a command whose words are right."""

RIGHT: Final = {
    "--data": "backend",
    "--days": "30",
    "--scope": "orders:write",
    "--cert": "client.pem",
    "--out": "new.zip",
    "devices": "https://127.0.0.1:9",
    "capture_id": CAPTURE_ID,
    "device_id": DEVICE_ID,
    "id": DEVICE_ID,
    "url": "https://127.0.0.1:9",
    "number": ORDER,
    "month": "2026-05",
    "folder": "records",
    "record": "whole.rec",
    "kind": "manifest",
    "document": "route.json",
    "--key": "key.pem",
    "source": "card.img",
    "zip": "new.zip",
    "names": "van-9.example",
    "role": "dispatch",
}
"""A valid value of an option or an argument; any other one takes any word."""

ENDS: Final = frozenset({"help", "version"})
"""Options that print and end: nothing behind them is read."""


SERVING: Final = frozenset({"capture", "sync", "serve", "locate"})
"""Commands of `doorstep` that may go on until they are stopped."""

OFFICE: Final = frozenset(
    name
    for action in backend.parser()._actions  # noqa: SLF001 - argparse has no public way to walk
    if isinstance(action.choices, dict)
    for name in action.choices
)
"""Commands of the backend; without one it serves."""


@dataclass(frozen=True, slots=True)
class Case:
    """A command line.

    Attributes:
        program: `doorstep` or `doorstep_backend`.
        what: what is wrong with it: a name in WRONG or STREAMS, or another.
        redirect: how the shell starts it.
    """

    program: str
    words: tuple[str, ...]
    what: str
    redirect: str = ""

    @property
    def may_serve(self) -> bool:
        """Return True if the command may run until it is stopped."""
        if self.program == "doorstep":
            return not SERVING.isdisjoint(self.words)
        is_office = not OFFICE.isdisjoint(self.words)
        return not is_office or any(one.startswith("--every") for one in self.words)

    def __str__(self) -> str:
        words = (one if len(one) < 80 else f"{one[:20]}..." for one in self.words)
        told = " ".join(ascii(one) for one in words)
        return f"{self.what}: {self.program} {told} {self.redirect}".rstrip()


def sample(wanted: int) -> list[Case]:
    """Return so many of all cases, always the same ones; all if there are fewer."""
    cases = all_cases()
    return random.Random(SEED).sample(cases, min(wanted, len(cases)))


def all_cases() -> list[Case]:
    """Return every wrong command line, in the order of the parsers."""
    return [
        *_of("doorstep", commandline.parser(), ()),
        *_of("doorstep_backend", backend.parser(), ()),
    ]


def _of(program: str, parser: argparse.ArgumentParser, before: tuple[str, ...]) -> Iterator[Case]:
    """Yield what can be wrong at one level of the commands, then at those below it."""
    actions = parser._actions  # noqa: SLF001 - argparse has no public way to walk a parser
    options = [one for one in actions if one.option_strings and one.dest not in ENDS]
    commands = [one for one in actions if isinstance(one.choices, dict)]
    places = [one for one in actions if not one.option_strings and one not in commands]
    own = tuple(word for one in options if one.required for word in _with_value(one))
    tail = tuple(_right(one) for one in places)
    yield from _of_options(program, options, before, tail)
    for number in range(len(places)):
        start, end = (*before, *own, *tail[:number]), tail[number + 1 :]
        yield Case(program, (*start, *end), "missing argument")
        for what, wrong in WRONG.items():
            yield Case(program, (*start, wrong, *end), what)
    yield from _of_whole(program, (*before, *own, *tail))
    for one in commands:
        yield Case(program, (*before, *own, "no-such-command"), "unknown command")
        for name, below in dict(one.choices or {}).items():
            yield from _of(program, below, (*before, *own, name))


def _of_options(
    program: str,
    options: Sequence[argparse.Action],
    before: tuple[str, ...],
    tail: tuple[str, ...],
) -> Iterator[Case]:
    for option in options:
        name = option.option_strings[-1]
        others = (one for one in options if one.required and one is not option)
        start = (*before, *(word for one in others for word in _with_value(one)))
        if option.nargs == 0:
            yield Case(program, (*start, f"{name}=1", *tail), "value of a flag")
            continue
        yield Case(program, (*start, *tail, name), "missing value")
        for what, wrong in WRONG.items():
            yield Case(program, (*start, f"{name}={wrong}", *tail), what)


def _of_whole(program: str, words: tuple[str, ...]) -> Iterator[Case]:
    yield Case(program, (*words, "--no-such-option"), "unknown option")
    yield Case(program, (*words, "surplus"), "surplus argument")
    yield Case(program, (*words, "--help"), "full output", STREAMS["full output"])
    for what, redirect in STREAMS.items():
        yield Case(program, words, what, redirect)


def _with_value(option: argparse.Action) -> tuple[str, str]:
    return option.option_strings[-1], _right(option)


def _right(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else action.dest
    return RIGHT.get(name, "word")
