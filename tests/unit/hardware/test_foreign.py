"""The one reader of foreign bytes: JSON in UTF-8, and files that end."""

import math
import os
import threading
from pathlib import Path

import pytest

from hardware.foreign import DEPTH_MOST, read_file, read_json


@pytest.mark.parametrize(
    "text",
    [
        b'"\xed\xa0\x80"',
        b'"\xff"',
        *('"a"'.encode(name) for name in ("utf-8-sig", "utf-16", "utf-16-le", "utf-32")),
        b'{"a": 1, "a": 1}',
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"1" * 5_000,
        b"[" * 100_000,
        b"[" * (DEPTH_MOST + 1) + b"]" * (DEPTH_MOST + 1),
        b'{"a":' * (DEPTH_MOST + 1) + b"1" + b"}" * (DEPTH_MOST + 1),
        b"",
    ],
)
def test_text_that_programs_read_differently_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_json_is_read_up_to_the_deepest_nesting() -> None:
    """Many brackets side by side are no depth; half a character as an escape is passed on."""
    flat = b"[" + b"{}," * 1_000 + b'"\\ud800"]'
    deep = b"[" * DEPTH_MOST + b"]" * DEPTH_MOST

    assert read_json(flat)[-1] == "\ud800"
    assert read_json(deep)
    assert math.isnan(read_json(b'{"a": 1, "a": NaN}', strict=False)["a"])


@pytest.mark.parametrize("name", ["/dev/zero", "long"])
def test_file_that_is_too_long_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "long").write_bytes(bytes(11))

    assert len(read_file(tmp_path / "long", 11)) == 11
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        read_file(tmp_path / name, 10)


def test_pipe_is_read_to_its_end_and_waited_for_by_its_writers_alone(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="a pipe into which no program has written"):
        read_file(pipe, 10)

    writer = threading.Thread(target=pipe.write_bytes, args=(b"content",))
    holder = os.open(pipe, os.O_RDWR)
    writer.start()
    writer.join()
    closing = threading.Timer(0.05, os.close, [holder])
    closing.start()
    assert read_file(pipe, 10) == b"content"
    closing.join()
