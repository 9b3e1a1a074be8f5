"""The command takes the stages and options that its page shows, and no others."""

import re
import shlex

import pytest

from tests.support.backend import REPOSITORY
from tests.system.qemu.__main__ import read_options
from tests.system.qemu.stages import NAMES

README = (REPOSITORY / "tests/system/qemu/README.md").read_text()


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
