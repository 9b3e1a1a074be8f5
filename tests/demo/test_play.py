"""The demo played by hand, in a pseudo terminal: what its keys do, and how it ends."""

import os
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import pytest

from hardware.indicator import Signal
from tests.demo import lights
from tests.demo.play import KEYS, PRESSES
from tests.demo.world import SWITCHES
from tests.support.device import REPOSITORY

SEEN_WITHIN_S: Final = 30.0
"""Longest wait for what is to be seen: 6 s to the first light, with room for a loaded CI."""

FRAME: Final = b"\x1b[H"
"""The beginning of every drawing of the whole screen: cursor home. Source: ECMA-48, CUP."""


class Terminal:
    """80x24 characters with `scripts/demo --play` in them."""

    def __init__(self, folder: Path) -> None:
        self._ours, self._its = os.openpty()
        termios.tcsetwinsize(self._its, (24, 80))
        self.settings = termios.tcgetattr(self._its)
        self.printed = b""
        environment = {"TERM": "xterm-256color", "TMPDIR": str(folder), "DOORSTEP_VENV": sys.prefix}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", REPOSITORY / "scripts" / "demo", "--play"],
            env={**os.environ, **environment},
            stdin=self._its,
            stdout=self._its,
            stderr=self._its,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.type("\x03")
            self.ends()
        os.close(self._ours)
        os.close(self._its)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def shows(self, *patterns: str) -> str:
        """Wait until all of them are on the screen at once; returns it."""
        until_s = time.monotonic() + SEEN_WITHIN_S
        while not all(re.search(pattern, self._screen()) for pattern in patterns):
            late = time.monotonic() > until_s or self.process.poll() is not None
            assert not late, f"no {patterns} in:\n{self._screen()}"
            self._read()
        return self._screen()

    def flashes(self, *words: str) -> None:
        """Wait until each of the words has been on the screen, for however short a time."""
        until_s = time.monotonic() + SEEN_WITHIN_S
        while not all(word.encode() in self.printed for word in words):
            assert time.monotonic() < until_s, f"no {words} in:\n{self._screen()}"
            self._read()

    def ends(self) -> int:
        """Wait for its end; returns the exit code."""
        until_s = time.monotonic() + SEEN_WITHIN_S
        while self.process.poll() is None:
            assert time.monotonic() < until_s, f"it goes on:\n{self._screen()}"
            self._read()
        self._read()
        return self.process.returncode

    def is_as_before(self) -> bool:
        """True if the terminal echoes again, and shows its cursor and its earlier text."""
        back = (
            b"\x1b[?1049l",
            b"\x1b[?25h",
        )  # source: xterm's control sequences, DECRST and DECSET
        cooked = termios.tcgetattr(self._its) == self.settings
        return cooked and all(sequence in self.printed for sequence in back)

    def _read(self) -> None:
        if select.select([self._ours], [], [], 0.05)[0]:
            self.printed += os.read(self._ours, 65_536)

    def _screen(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.printed.rpartition(FRAME)[2].decode())


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Terminal]:
    with Terminal(tmp_path) as terminal:
        terminal.shows(r"green \. +ready")
        yield terminal


def test_every_signal_has_its_colour_and_its_words() -> None:
    assert set(lights.MEANS) == set(Signal)
    assert {lights.name(signal).split()[0] for signal in Signal} == {
        *("white", "dark", "green", "amber", "blue", "cyan", "red", "violet")
    }


def test_lights_of_one_colour_are_told_apart_by_their_rhythm() -> None:
    assert lights.name(Signal.NO_PHOTO) == "blue -."
    assert lights.name(Signal.CODE_ELSEWHERE) == "blue -.."


def test_every_key_does_something_and_is_in_the_readme() -> None:
    readme = (REPOSITORY / "tests/demo/README.md").read_text(encoding="utf-8")

    assert set(KEYS) == {*PRESSES, *SWITCHES, "n", "a", "q"}
    for key in KEYS:
        assert f"| `{key}` |" in readme


def test_demo_without_a_terminal_says_so() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "tests.demo", "--play"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 2
    assert "--play needs a terminal" in told.stderr


@pytest.mark.slow
def test_a_press_shows_its_light_and_its_record(played: Terminal) -> None:
    played.type("p")
    played.shows("white +hold still")
    played.shows("green - +go on, done")
    played.shows("last +record 2, photo: order 1001, the only one in reach; ok")

    played.type("h")
    played.shows(r"blue -\. +go on, no photo", "last +record 3 takes the last press back")

    played.shows(r"green \. +ready")  # the scan button is up again
    played.type("o")
    played.shows(r"green -- +go on, handed over")
    played.shows("last +record 4, handed over: order 1001, the only one in reach")

    played.shows(r"green \. +ready")
    played.type("h")
    played.shows("last +record 5 takes the last press back")


@pytest.mark.slow
def test_accounts_and_what_to_try_fit_the_screen(played: Terminal) -> None:
    """On 80x24 characters, from the heading to the last thing to try, and the keys come back."""
    played.type("a")
    played.shows("who +account +password +sees", "c-4 +demo-four-badger", "4. Press w, p, w")

    played.type("a")

    played.shows("photo button", "a accounts, what to try")


@pytest.mark.slow
def test_unsent_record_waits_for_the_network(played: Terminal) -> None:
    played.shows("waits +0 to be sent")
    played.type("w")
    played.shows("NO NETWORK")
    played.type("p")
    played.shows("last +record 2", "waits +[12] to be sent; sync: waiting")

    played.type("w")

    played.shows("around +network", "waits +0 to be sent")


@pytest.mark.slow
def test_records_of_a_revoked_device_wait_until_it_is_let_in_again(played: Terminal) -> None:
    """Without a network it is not let in."""
    played.shows("waits +0 to be sent")
    played.type("r")
    played.shows("SHUT OUT", "said +demo-01: shut out")
    played.type("p")
    played.shows("last +record 2, photo", "waits +[12] to be sent; sync: .*certificate revoked")
    played.type("w")
    played.shows("NO NETWORK")
    played.type("r")
    played.shows("NO NETWORK.*SHUT OUT", "said +demo-01: doorstep enrol: ")
    played.type("w")
    played.shows("around +network")

    played.type("r")

    played.shows(r"day, still hand\s*\n", "waits +0 to be sent; sync: idle")
    played.shows("said +demo-01: let in again, enrolled until 20")


@pytest.mark.slow
def test_the_world_changes_while_it_runs(played: Terminal) -> None:
    """Doors of every kind, a label, a moving hand, the dark, the cradle and the camera's fault.

    GPS comes back on the way to the next door: a device is not carried 200 m in no time.
    """
    played.type("g")
    played.shows("NO GPS")
    played.type("n")
    assert "NO GPS" not in played.shows("order 1002 .* signed for")
    played.type("p")
    played.shows(r"blue -\. +go on, no photo", "no photo: a stop that is signed for")
    played.type("nnnn")
    played.shows("order 1006 .* 8 m away")
    played.type("sl")
    played.shows(r"cyan \.- +press: the label is read")
    played.type("m")
    played.shows("MOVING HAND")
    played.type("p")
    played.shows(r"amber \.{3} +press once more", "order 1006, by its label; blurred")
    played.type("md")
    played.shows("DARK, still hand")
    played.type("p")
    played.shows("with the lamp, a retake")
    played.type("c")
    played.shows("in the cradle, all sent")
    played.type("f")
    played.shows("CAMERA FAULT")
    played.type("p")
    played.shows("red +call", "no photo: camera fault")
    played.type("fc")
    played.shows(r"green \. +ready", "capture ended with 70; it is started again")


@pytest.mark.slow
def test_label_of_another_stop_and_a_covered_lens_are_answered(played: Terminal) -> None:
    """Each answer has a rhythm of its own, also for tone and motor."""
    played.type("nn")
    played.shows("order 1003")
    played.type("se")
    played.shows("ANOTHER STOP'S LABEL UP", r"cyan \.- +press: the label is read")
    played.type("p")
    played.shows(r"blue -\. +go on, no photo", "no photo: its label is of another place")
    played.flashes("tone  ██ low", "motor ██")

    played.type("nnn")
    played.shows("order 1006 .* 8 m away")
    played.type("sl")
    played.shows("around.* LABEL UP", r"cyan \.- +press: the label is read")
    played.type("v")
    played.shows("LENS COVERED")
    played.type("p")
    played.shows(r"amber \.{3} +press once more", "order 1006, by its label; covered")
    played.flashes("tone  ██ high")


@pytest.mark.slow
def test_label_binds_no_photo_at_the_next_door(played: Terminal) -> None:
    """Neither soon after its photo nor after that was taken back."""
    played.type("nnnnn")
    played.shows("order 1006 .* 8 m away")
    played.type("sl")
    played.shows(r"cyan \.- +press: the label is read")
    played.type("p")
    played.shows("record 2, photo: order 1006, by its label; ok")
    played.type("n")
    played.shows(r"green \. +ready", "order 1007 .* 8 m away")  # later than 600 ms after the press
    played.type("p")
    played.shows("record 3, photo: one of several in reach; ok")

    played.type("h")
    played.shows(r"green \. +ready", "record 4 takes the last press back")
    played.type("p")
    played.shows("record 5, photo: one of several in reach; ok")


@pytest.mark.slow
@pytest.mark.parametrize("key", ["q", "\x03"])
def test_demo_ends_and_leaves_nothing(played: Terminal, tmp_path: Path, key: str) -> None:
    played.type(key)

    assert played.ends() == 0
    assert played.is_as_before()
    assert list(tmp_path.iterdir()) == []
    assert processes_that_name(tmp_path) == []


def processes_that_name(folder: Path) -> list[str]:
    """Command lines of what still runs with a file in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if str(folder) in words:
            found.append(words)
    return found
