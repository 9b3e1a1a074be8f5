"""A parser of command lines whose errors name the command at hand, and guess what was meant."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import chain
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser of a program or of one of its commands, which are Parsers too.

    argparse has `suggest_on_error` only since Python 3.14, and for no option.
    """

    _words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse `args`; a surplus word is an error here, not in the program's own parser."""
        self._words = sys.argv[1:] if args is None else list(args)
        found, surplus = super().parse_known_args(args, namespace)
        if surplus:
            self.error(f"unrecognized arguments: {' '.join(surplus)}")
        return found, surplus

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, with a guess; exit with 2."""
        super().error(f"{message}{self._guess()}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            if value in self._words:  # what follows are options of a command
                self._words = self._words[: self._words.index(value)]
            if near := _near(str(value), map(str, action.choices or ())):
                error.message += f"; did you mean {near}?"
            raise

    def _guess(self) -> str:
        """Return the guess at the first unknown option before a command, if there is one."""
        places = (one.choices for one in self._actions if not one.option_strings)
        commands = set(chain.from_iterable(each or () for each in places))
        known = self._option_string_actions
        for word in self._words:
            if word == "--" or word in commands:
                break
            name = word.partition("=")[0]
            if name.startswith("--") and not any(one.startswith(name) for one in known):
                near = _near(name, known)
                return f"; did you mean {near} instead of {name}?" if near else ""
        return ""


def _near(word: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(word[:64], list(known), n=1)), None)
