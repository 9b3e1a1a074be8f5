"""The operator command: a program of the integrator's that does what only an operator can do."""

import shlex
import subprocess
from typing import Final

from tests.conformance.check import Failed, NotChecked

DONE, CANNOT = 0, 75
"""Exit codes of the command. Source of 75: EX_TEMPFAIL, sysexits.h."""

WITHIN_S: Final = 120.0
"""Longest time that a command may take: a restart of a large service."""


BY_HAND: Final = "-"
"""In place of a command: a person at the terminal acts."""


class OperatorCommand:
    """The command line of `--operator`; it may be missing."""

    def __init__(self, command: str | None) -> None:
        self._words = shlex.split(command or "")

    def expect(self, words: str) -> None:
        """Raise NotChecked if there is no command that could be run with these words."""
        if not self._words:
            raise NotChecked(f"--operator is missing, and the check runs COMMAND {words}")

    def do(self, *words: str) -> None:
        """Run the command with these words, such as `restart`, and return when that is done.

        Raises:
            NotChecked: there is no command, or it says by its exit code 75 that it cannot.
            Failed: it ended otherwise than with 0.
        """
        asked = " ".join(words)
        self.expect(asked)
        if self._words == [BY_HAND]:
            _wait_for_person(asked)
            return
        try:
            ended = subprocess.run(
                [*self._words, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=WITHIN_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f'The operator command could not run "{asked}": {error}.') from error
        output = " ".join(ended.stdout.split())
        if ended.returncode == CANNOT:
            raise NotChecked(output or f'the operator command cannot run "{asked}"')
        if ended.returncode != DONE:
            text = " ".join(ended.stderr.split())[-200:] or output
            code = f"exit code {ended.returncode}"
            raise Failed(f'The operator command ended "{asked}" with {code}: {text}')


def _wait_for_person(asked: str) -> None:
    """Return at Enter. Raise NotChecked after a reason, or if nobody is there."""
    try:
        why_not = input(f'Do "{asked}" now, then press Enter; or write why you cannot: ')
    except EOFError:
        why_not = f'nobody at the terminal did "{asked}"'
    if why_not.strip():
        raise NotChecked(why_not.strip())
