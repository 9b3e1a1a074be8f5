"""The rig watches every file that the product keeps whole at any time."""

from typing import Final

from tests.faults.powercut.files import WRITERS
from tests.support.device import REPOSITORY

OTHERS: Final = {
    "agent.command.enrol_files": "requests for a person: `--csr` writes the same ones again",
    "agent.status.kept": "what doctor found: the next run finds it again",
    "agent.sync.folder_delivery": "receipts beside the records of a dead card, on another disk",
}


def test_each_module_that_writes_whole_files_is_watched_or_excused() -> None:
    found = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
        for path in (REPOSITORY / "agent").rglob("*.py")
        if "whole=True" in path.read_text()
    }

    assert found == {module.__name__ for module in WRITERS} | OTHERS.keys()
