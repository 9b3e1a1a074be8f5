"""A card that takes nothing more."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from tests.support.factory import fill


@contextmanager
def full(card: Path) -> Iterator[None]:
    """Fill a card to its last block and inode: not even an empty file can be made.

    Blocks alone are not enough: ext4 gives a last one now and then when it commits.
    """
    filler, empty = card / "filler", card / "empty"
    filler.touch()
    empty.mkdir()
    with suppress(OSError):
        for number in count():
            (empty / str(number)).touch()
    fill(card)
    try:
        yield
    finally:
        filler.unlink()
        shutil.rmtree(empty)
