"""A sample of the wrong command lines, and what the rig must catch."""

from argparse import SUPPRESS, ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.command import commandline
from doorstep_backend import __main__ as backend
from tests.faults.commandlines import tried as rig
from tests.faults.commandlines.cases import STREAMS, WRONG, Case, all_cases


def test_cases_cover_every_command_and_fault() -> None:
    cases = all_cases()
    kinds = Counter(one.what for one in cases)
    words = {word.partition("=")[0] for one in cases for word in one.words}

    assert {*WRONG, *STREAMS} <= kinds.keys()
    assert {"status", "retry", "--after", "enrol", "rescue", "--discard"} <= words
    assert {"--port", "kept", "export-evidence", "rotate", "--every"} <= words


def test_a_word_that_is_not_utf8_is_refused_and_a_path_is_not() -> None:
    path = commandline.parsed(backend.parser(), ["--data", "\udcff"])
    assert str(path.data) == "\udcff"
    with pytest.raises(SystemExit):
        commandline.parsed(backend.parser(), ["--data", "d", "release", "\udcff"])


@pytest.mark.parametrize(
    ("parser", "words", "program", "guess"),
    [
        (commandline.parser, "statsu", "doorstep", "did you mean status?"),
        (commandline.parser, "queue rety", "doorstep queue", "did you mean retry?"),
        (commandline.parser, "verify --idntity f d", "doorstep verify", "did you mean --identity"),
        (backend.parser, "--dta d devices list", "doorstep-backend", "did you mean --data"),
        (backend.parser, "devcies add --out f", "doorstep-backend", "did you mean devices?"),
        (backend.parser, "devices lst", "doorstep-backend devices", "did you mean list?"),
        (backend.parser, "tokens add x --socpe y", "doorstep-backend tokens add", "mean --scope"),
        (backend.parser, "--port x clients add --out f", "doorstep-backend", "not a port number"),
    ],
)
def test_wrong_word_shows_the_usage_of_its_command_and_a_guess(
    parser: Callable[[], ArgumentParser],
    words: str,
    program: str,
    guess: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error names the command, guesses the word that was meant, and ends with 2."""
    with pytest.raises(SystemExit, match=r"^2$"):
        parser().parse_args(words.split())

    shown = capsys.readouterr().err.splitlines()
    assert shown[0].startswith(f"usage: {program} [-h]")
    assert shown[-1].startswith(f"{program}: error: ")
    assert guess in shown[-1]
    assert shown[-1].count("did you mean") == guess.count("mean")


def test_help_of_every_backend_command_has_an_example() -> None:
    """Each help explains each option and argument, and ends with an example that parses."""
    for command in _below(backend.parser()):
        shown = [one for one in command._actions if one.help != SUPPRESS]  # noqa: SLF001
        assert all(one.help or one.choices for one in shown), command.prog
        _, _, words = (command.epilog or "").partition("Example: doorstep-backend ")
        backend.parser().parse_args(words.partition(". `")[0].partition(" <")[0].split())


def _below(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    yield parser
    for one in parser._actions:  # noqa: SLF001
        for below in one.choices.values() if isinstance(one.choices, dict) else ():
            yield from _below(below)


@pytest.mark.slow
@pytest.mark.parametrize("redirect", ["", "2>&-", "2>/dev/full"])
def test_a_program_that_raises_is_caught_wherever_its_errors_go(
    tmp_path: Path, redirect: str
) -> None:
    """The rig can fail."""
    (tmp_path / "raises.py").write_text("int('many')")

    (ended,) = rig.tried([Case("raises", ("word",), "wrong type", redirect)], tmp_path)

    assert ended.has_traceback
    assert "ValueError" in (ended.fault or "")
