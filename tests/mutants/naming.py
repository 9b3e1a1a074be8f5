"""Names of mutants that stay the same while other code is edited."""

import io
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final

LONGEST_CHANGE: Final = 60
"""Characters of each side of a change; the rest is cut. The occurrence tells equal texts apart."""

ANY: Final = "*"
"""Name for all functions of a module that moved as a whole."""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A small change of one function.

    Attributes:
        module: dotted, as `agent.sync.backoff`.
        function: its name, with its class before a dot.
        change: the tokens before and after, as `< -> <=`.
        occurrence: from 1, of all equal changes in this function, in the order of the source.
    """

    module: str
    function: str
    change: str
    occurrence: int

    def moved(self, names: dict[tuple[str, str], tuple[str, str]]) -> "Mutant":
        """Return this mutant under the name that its function has now; `*` is any function."""
        module, _ = names.get((self.module, ANY), (self.module, ANY))
        module, function = names.get((self.module, self.function), (module, self.function))
        return replace(self, module=module, function=function)

    def __str__(self) -> str:
        """Return the mutant on one line."""
        again = f" (occurrence {self.occurrence})" if self.occurrence > 1 else ""
        return f"{self.module} {self.function}: {self.change}{again}"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that mutmut makes: the code of one node, before and after."""

    function: str
    before: str
    after: str


def module_of(path: Path) -> str:
    """Return the dotted name of a path that is relative to the repository."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named(module: str, edits: Iterable[Edit]) -> list[Mutant]:
    """Return the name of each edit; they are in the order of the source."""
    seen: Counter[tuple[str, str]] = Counter()
    names = []
    for edit in edits:
        change = _change(edit)
        seen[edit.function, change] += 1
        names.append(Mutant(module, edit.function, change, seen[edit.function, change]))
    return names


def _change(edit: Edit) -> str:
    before, after = _tokens(edit.before), _tokens(edit.after)
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    return f"{_shown(before, start, end)} -> {_shown(after, start, end)}"


def _tokens(code: str) -> list[str]:
    lines = io.StringIO(f"({code.strip()}\n)").readline
    try:
        return [token.string for token in tokenize.generate_tokens(lines)][1:-3]
    except (tokenize.TokenError, SyntaxError):  # a statement, which no parentheses can hold
        return code.split()


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _shown(tokens: list[str], start: int, end: int) -> str:
    text = " ".join(" ".join(tokens[start : len(tokens) - end]).split()) or "nothing"
    return text if len(text) <= LONGEST_CHANGE else text[: LONGEST_CHANGE - 1] + "…"
