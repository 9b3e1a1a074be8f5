"""A sample of the wrong command lines, and what the rig must catch."""

from collections import Counter
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
