"""The command as a process: its streams may be anything, and Ctrl-C may come at any time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.device import REPOSITORY, Device, empty_queue
from tests.support.factory import RecordMaker

ASCII: Final = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A locale that knows ASCII only; Python would take it for UTF-8."""

STREAMS: Final = [
    "| true",
    ">&-",
    ">/dev/full",
    "2>/dev/full",
    ">&- 2>&- <&-",
    "&>/dev/full",
]


def end(
    words: list[str], streams: str = "", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run one command with its streams as bash's redirections have it."""
    line = f'set -o pipefail; "$0" -m agent "$@" {streams}'
    return subprocess.run(
        ["bash", "-c", line, sys.executable, *words],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
        timeout=60,
    )


def interrupt(
    words: list[str], loading: str, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """Run one command that gets Ctrl-C as soon as it loads the library `loading`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agent", *words],
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        stderr=subprocess.PIPE,
    )
    while loading not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    return subprocess.CompletedProcess(words, process.returncode, b"", told)


@pytest.fixture
def device(tmp_path: Path) -> Device:
    """Its configuration names the queue by a path that is not ASCII."""
    empty_queue(tmp_path / "zustände")
    state = {"dir": "../zustände/state", "run_dir": "../zustände/run"}
    return Device(tmp_path / "gerät", state=state)


@pytest.fixture
def altered(tmp_path: Path) -> Path:
    """A folder of records that does not verify."""
    folder, maker = tmp_path / "altered", RecordMaker(chain="3f2a9c51-chain")
    folder.mkdir()
    for _ in range(3):
        path = maker.make().into(folder)
    path.write_bytes(path.read_bytes()[:-512])
    return folder


@pytest.mark.parametrize("streams", STREAMS)
def test_verdict_is_the_same_for_every_reader(altered: Path, streams: str) -> None:
    ended = end(["verify", str(altered)], streams)

    assert ended.returncode == 65
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize("words", [["--help"], ["config"], ["status", "--json"]], ids=" ".join)
def test_full_disk_is_reported_and_a_reader_that_leaves_is_no_error(
    device: Device, words: list[str]
) -> None:
    line = [*words, "--config", str(device.config)]
    full, gone = end(line, ">/dev/full"), end(line, "| true")

    told = b"doorstep: cannot write to standard output: No space left on device\n"
    assert (full.returncode, full.stderr) == (70, told)
    assert (gone.returncode, gone.stderr) == (0, b"")


def test_an_error_that_cannot_be_told_ends_as_it_should(tmp_path: Path) -> None:
    line = ["status", "--config", str(tmp_path / "missing.toml")]

    assert [end(line, streams).returncode for streams in ("2>/dev/full", "2>&-")] == [2, 2]


@pytest.mark.parametrize(
    ("streams", "read"), [("<&-", "''"), ("< <(printf 'a\\xff')", "'a\\udcff'")]
)
def test_standard_input_is_read_whatever_it_is(streams: str, read: str) -> None:
    """Closed, it is empty; bytes that are no text are no reason to end."""
    code = "import sys; from agent.process import streams; streams.outlast()"
    line = f'"$0" -c "$1" {streams}'
    words = ["bash", "-c", line, sys.executable, f"{code}; print(ascii(sys.stdin.read()))"]
    ended = subprocess.run(
        words,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.stdout, ended.stderr) == (f"{read}\n", "")


def test_nothing_is_written_where_a_closed_stream_was(device: Device) -> None:
    """The first file that is opened gets the number of one that is closed."""
    ended = end(["sync", "--once", "--config", str(device.config)], "<&- >&- 2>&-")
    again = end(["queue", "--config", str(device.config)])

    assert (ended.returncode, again.returncode) == (0, 0)


@pytest.mark.parametrize("variables", [ASCII, {"PYTHONIOENCODING": "ascii"}], ids=str)
def test_a_terminal_and_a_locale_may_know_ascii_only(
    device: Device, altered: Path, variables: Mapping[str, str]
) -> None:
    """Paths are bytes: a queue in `zustände` is found in any locale."""
    config = ["--config", str(device.config)]
    (altered / "schön….rec").write_bytes(b"no record")

    for words in (["config"], ["status"], ["queue"]):
        ended = end([*words, *config], **variables)
        assert (ended.returncode, ended.stderr) == (0, b"")
    assert end(["verify", str(altered)], **variables).returncode == 65


def test_json_is_json_on_an_ascii_terminal(tmp_path: Path) -> None:
    """The name of a stop or an error may have any letter."""
    missing = tmp_path / "gerät.toml"
    ended = end(["doctor", "--json", "--config", str(missing)], PYTHONIOENCODING="ascii")

    (finding,) = json.loads(ended.stdout)
    assert "gerät.toml" in finding["words"]


@pytest.mark.parametrize(
    ("words", "loading", "code"),
    [
        (["capture"], "_sqlite3", 0),
        (["sync"], "_sqlite3", 0),
        (["status"], "_sqlite3", 130),
        (["verify", "."], "_hashlib", 130),
        (["capture"], "cv2", 0),
        (["capture", "--once"], "zxingcpp", 130),
    ],
    ids=str,
)
def test_ctrl_c_while_it_starts_ends_it_as_later(
    device: Device, words: list[str], loading: str, code: int
) -> None:
    """KeyboardInterrupt would leave a traceback of an import, or abort that of a C++ module."""
    ended = interrupt([*words, "--config", str(device.config)], loading)

    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr


def test_doctor_that_is_interrupted_leaves_no_file(device: Device, tmp_path: Path) -> None:
    """Doctor opens devices, and OpenCV draws what simulates them."""
    files = set(tmp_path.rglob("*"))

    ended = interrupt(["doctor", "--config", str(device.config)], "cv2", TMPDIR=str(tmp_path))

    assert ended.returncode == 130
    assert set(tmp_path.rglob("*")) == files
