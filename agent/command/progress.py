"""Progress bars for a person at a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from tqdm import tqdm

_BAR: Final = "{desc} |{bar}| {n_fmt} of {total_fmt} records, {elapsed}"


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    bars: list[tqdm[Any]] = []

    def show(done: int, total: int) -> None:
        if total and not bars:
            bars.append(tqdm(total=total, desc="sending", bar_format=_BAR))
        for bar in bars:
            bar.total = total
            bar.update(done - bar.n)

    yield show
    for bar in bars:
        bar.close()
