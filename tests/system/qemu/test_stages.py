"""The stages that the command takes are those that its page names."""

import re
import shlex

import pytest

from tests.support.backend import REPOSITORY
from tests.system.qemu.__main__ import read_options
from tests.system.qemu.stages import NAMES

README = (REPOSITORY / "tests/system/qemu/README.md").read_text()


def _listed() -> list[str]:
    """The names in the first column of the table of stages."""
    table = README.partition("\n## Stages\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    return re.findall(r"`(\w+)`", " ".join(rows))


def test_page_lists_every_stage_that_the_command_takes() -> None:
    """A stage that only one of the two knows is found by nobody, or cannot be run."""
    assert sorted(_listed()) == sorted(NAMES)


def test_commands_of_the_page_are_accepted() -> None:
    """Each example at the top of the page uses stages and options that exist."""
    examples = re.findall(r"^scripts/test --device(.*?)(?:  .*)?$", README, re.MULTILINE)

    assert len(examples) > 5
    for words in examples:
        read_options(shlex.split(words))


def test_stage_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(["round", "rounds"])

    assert ended.value.code == 2
    assert f"rounds: no such stage; there are {', '.join(NAMES)}" in capsys.readouterr().err
