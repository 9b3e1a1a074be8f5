"""Standard streams that a command outlasts: readers go away, disks fill, terminals know ASCII."""

import io
import os
import sys
from typing import Any, TextIO


class Outlasting(io.FileIO):
    """A standard stream that accepts output even if its reader has ended.

    Attributes:
        error: the first reason why output was lost; None if none was.
    """

    error: OSError | None = None

    def write(self, content: Any) -> int:
        """Write `content`, or drop it."""
        try:
            return super().write(content)
        except OSError as error:
            self.error = self.error or error
            return len(content)


def outlast() -> Outlasting:
    """Replace this process's streams by Outlasting ones; return standard output.

    Standard input is empty if it was closed, and its bytes that are no text become surrogates.
    """
    _fill_closed()
    if sys.stdin is None:  # it was closed
        sys.stdin = os.fdopen(0, closefd=False)
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    out, err = (Outlasting(number, "w", closefd=False) for number in (1, 2))
    sys.stdout, sys.stderr = _text(out, sys.stdout), _text(err, sys.stderr)
    return out


def is_all_written(out: Outlasting, program: str) -> bool:
    """Flush standard output; print an error and return False if the system did not take it all.

    A reader that went away wanted no more: that is no error.
    """
    sys.stdout.flush()
    if out.error is None or isinstance(out.error, BrokenPipeError):
        return True
    sys.stderr.write(f"{program}: cannot write to standard output: {out.error.strerror}\n")
    return False


def _fill_closed() -> None:
    """Open /dev/null for closed standard streams: otherwise the next file would get the output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _text(raw: Outlasting, before: TextIO | None) -> TextIO:
    """Wrap a stream in the encoding that it had, and escape characters that this encoding lacks."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=raw.fileno() == 2 or raw.isatty(),
    )
