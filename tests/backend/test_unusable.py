"""The messages for a path that cannot be used."""

from collections.abc import Callable
from pathlib import Path

import pytest

from doorstep_backend import unusable
from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.office.export import new_zip
from doorstep_backend.settings import WrongSettingError, read_settings

FAILS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing folder": (
        lambda folder: (folder / "missing" / "new.zip").touch(),
        "missing/new.zip: this path does not exist; make the folder",
    ),
    "target that exists": (
        lambda folder: new_zip(folder / "file").__enter__(),
        "file: this path exists already and is not overwritten; name another path",
    ),
    "file for a folder": (
        lambda folder: (folder / "file" / "new.zip").touch(),
        "new.zip: a part of this path is a file, where a folder is needed",
    ),
    "folder for a file": (
        lambda folder: folder.read_bytes(),
        "this is a folder, where a file is needed; name a file",
    ),
    "long name": (
        lambda folder: (folder / ("x" * 300)).touch(),
        "the name is too long; name a shorter one",
    ),
}


@pytest.mark.parametrize("case", FAILS)
def test_a_path_that_cannot_be_used_is_named_with_the_remedy(tmp_path: Path, case: str) -> None:
    """No number of an error, and none of Python's words: `[Errno 17]` helps nobody."""
    fails, words = FAILS[case]
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="Errno") as raised:
        fails(tmp_path)

    told = unusable.os_error_text(raised.value)
    assert words in told
    assert told.startswith(str(tmp_path))
    assert "Errno" not in told


def test_error_text_keeps_the_words_of_an_unavailable_engine() -> None:
    assert unusable.os_error_text(Unavailable("database is locked")) == "database is locked"


def test_settings_that_are_not_utf8_are_refused_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "backend.toml").write_bytes(b'# who\nzone = "\xff"\n')

    with pytest.raises(WrongSettingError, match=r"backend\.toml: line 2, .* is not UTF-8"):
        read_settings(tmp_path)
