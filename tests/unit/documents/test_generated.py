"""The blocks in the pages, and the sheet of lights, are what the code makes of them now."""

from tests.unit.documents import generated
from tests.unit.documents.pages import REPOSITORY, pages


def test_generated_blocks_are_as_the_code() -> None:
    names = [path.relative_to(REPOSITORY).as_posix() for path in generated.outdated()]

    assert names == [], f"run `{generated.COMMAND}`, and look at the changes"


def test_each_block_is_on_one_page() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())

    assert sorted(generated.names(text)) == sorted(generated.BLOCKS)
