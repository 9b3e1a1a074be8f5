"""Parsers that each break one limit: the rig must catch them all."""

import os
import signal
from collections.abc import Mapping
from typing import Final

from tests.faults.fuzz.parsers.parser import Parser


def _raises(_content: bytes) -> object:
    raise KeyError("capture_id")


def _documents(_content: bytes) -> object:
    raise ValueError("as it says")


def _takes_long(_content: bytes) -> object:
    return sum(range(120_000_000))


def _takes_memory(_content: bytes) -> object:
    return len(b"x" * 60_000_000)


def _takes_all_memory(_content: bytes) -> object:
    return [bytes(10_000_000) + b"x" for _ in range(1_000)]


def _nests(content: bytes) -> object:
    return _nests(content)


def _never_ends(_content: bytes) -> object:
    """Stay in machine code, where no signal handler of Python's runs."""
    return pow(3, 10**9) % 7


def _dies(_content: bytes) -> object:
    os.kill(os.getpid(), signal.SIGSEGV)
    return None


BROKEN: Final[Mapping[str, Parser]] = {
    one.name: one
    for one in (
        Parser("broken-raises", _raises, (ValueError,)),
        Parser("broken-documents", _documents, (ValueError,)),
        Parser("broken-takes-long", _takes_long),
        Parser("broken-takes-memory", _takes_memory),
        Parser("broken-takes-all-memory", _takes_all_memory),
        Parser("broken-nests", _nests, (ValueError,)),
        Parser("broken-never-ends", _never_ends),
        Parser("broken-dies", _dies),
    )
}
