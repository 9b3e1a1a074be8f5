"""System calls that change the state folder, and what can be done to one of them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

CHANGING: Final = (
    "openat",
    "mkdir",
    "chmod",
    "fchmod",
    "write",
    "pwrite64",
    "fallocate",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "rmdir",
)
"""Every call by which the product or SQLite changes a disk; `openat` only where it makes a file."""

TAKES_ROOM: Final = frozenset({"mkdir", "write", "pwrite64", "fallocate", "ftruncate"})
"""Calls that a full disk refuses; there is nearly always room for a new name."""

_LINE: Final = re.compile(r"^(?P<name>\w+)\((?P<words>.*)\) += (?P<answer>\S+)")


class Harm(StrEnum):
    """The fault at a call."""

    KILL = "kill"
    EIO = "eio"
    ENOSPC = "enospc"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Call:
    """A call that changed the state folder.

    Attributes:
        name: of the system call.
        number: which one of that name in its process, from 1; strace counts them so.
        words: its arguments as strace prints them, with the paths of descriptors.
        before: how many calls of each name came before it, itself not counted.
    """

    name: str
    number: int
    words: str
    before: Counter[str]

    @property
    def is_on_record(self) -> bool:
        """True if the call concerns the record files or their folder."""
        return "/records" in self.words


@dataclass(frozen=True, slots=True)
class Injection:
    """A harm at the call with this place among the calls of an unharmed run."""

    harm: Harm
    place: int
    call: Call

    def __str__(self) -> str:
        return f"{self.harm} at call {self.place}, {self.call.name}({self.call.words[:160]}"

    def words(self) -> list[str]:
        """Return the options of strace."""
        match self.harm:
            case Harm.KILL:
                return _inject(self.call.name, "signal=KILL", str(self.call.number))
            case Harm.EIO | Harm.ENOSPC:
                error = f"error={self.harm.upper()}"
                return _inject(self.call.name, error, str(self.call.number))
            case Harm.FULL:
                return [
                    word
                    for name in sorted(TAKES_ROOM)
                    for word in _inject(name, "error=ENOSPC", f"{self.call.before[name] + 1}+")
                ]


def _inject(name: str, what: str, when: str) -> list[str]:
    return ["-e", f"inject={name}:{what}:when={when}"]


def read_trace(trace: str, state: Path) -> list[Call]:
    """Return the calls of a trace that changed files in `state`, in their order."""
    seen: Counter[str] = Counter()
    calls = []
    for line in trace.splitlines():
        if not (match := _LINE.match(line)) or match["name"] not in CHANGING:
            continue
        name, words = match["name"], match["words"]
        before = Counter(seen)
        seen[name] += 1
        is_change = "O_CREAT" in words if name == "openat" else True
        if is_change and match["answer"] != "-1" and str(state) in words:
            calls.append(Call(name, seen[name], words, before))
    return calls


def all_injections(calls: Sequence[Call]) -> Iterator[Injection]:
    """Every harm at every call where it can happen, in the order of the calls.

    Which harm comes first at a call changes from one to the next, so that every nth of them are
    some of each.
    """
    harms = list(Harm)
    for place, call in enumerate(calls, start=1):
        for number in range(len(harms)):
            harm = harms[(place + number) % len(harms)]
            if harm is not Harm.FULL or call.name in TAKES_ROOM:
                yield Injection(harm, place, call)


def spread_out(injections: Sequence[Injection], wanted: int) -> list[Injection]:
    """Return `wanted` or all of them, at even distances, and every failing flush of a record."""
    wanted = min(wanted, len(injections))
    chosen = [injections[number * len(injections) // wanted] for number in range(wanted)]
    flushes = [one for one in injections if one.harm is Harm.EIO and one.call.is_on_record]
    return chosen + [one for one in flushes if one.call.name == "fsync" and one not in chosen]
