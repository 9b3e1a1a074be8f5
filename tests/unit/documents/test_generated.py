"""The blocks in the pages, and the sheet of lights, are what the code makes of them now."""

from tests.unit.documents import generated
from tests.unit.documents.pages import REPOSITORY


def test_generated_blocks_are_as_the_code() -> None:
    names = [path.relative_to(REPOSITORY).as_posix() for path in generated.outdated()]

    assert names == [], f"run `{generated.COMMAND}`, and look at the changes"
