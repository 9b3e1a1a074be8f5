"""The terminal of a demo that is played: keys as they are pressed, and what is seen on it."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hardware.indicator import Colour
from hardware.patterns import DARK, HIGH_HZ, LOW_HZ, Step

LIT_CHARS: Final = 14
LIT_LINES: Final = 3
"""The light's size: wide enough to be seen from the corner of the eye."""

BAR_CHARS: Final = 2
OTHERS_CHARS: Final = len("tone  ") + BAR_CHARS + len(" high")
"""Tone and motor beside the light."""

LIT: Final = "█"
UNLIT: Final = "░"
"""Parts of the light's drawing: visible without colours, on a black terminal as on a white one."""

KEYS_ABREAST: Final = 3
"""Columns of the key table: the widest words three times fit into 80 characters."""


@dataclass(frozen=True, slots=True)
class View:
    """The text of the screen.

    Attributes:
        given: light, tone and motor as they are now, off in the pauses of their rhythm.
        meant: its name and what the driver should do.
        rows: a name and a line each.
        keys: a key and its words each.
        below: lines for whoever looks at the pages; without keys there is room for a dozen.
    """

    given: Step
    meant: tuple[str, str]
    rows: Sequence[tuple[str, str]]
    keys: Sequence[tuple[str, str]]
    below: Sequence[str]


class Screen:
    """A terminal that is ours until the block ends; then it is as it was before."""

    def __init__(self, console: Console, live: Live) -> None:
        self._console = console
        self._live = live
        self._seen: tuple[View, object] | None = None

    def show(self, view: View) -> None:
        """Draw it, if anything is other than before."""
        seen = (view, self._console.size)
        if seen != self._seen:
            self._live.update(_drawn(view), refresh=True)
            self._seen = seen

    def keys(self, within_s: float) -> str:
        """The typed text, in small letters; waits so long for the first, and may return nothing."""
        typed = sys.stdin.fileno()
        if not select.select([typed], [], [], within_s)[0]:
            return ""
        return os.read(typed, 64).decode(errors="ignore").lower()


def is_there() -> bool:
    """Return True if this process has a terminal that can be drawn on."""
    return sys.stdin.isatty() and sys.stdout.isatty() and not Console().is_dumb_terminal


@contextmanager
def screen() -> Iterator[Screen]:
    """Take the terminal over: no echo, no waiting for Return; Ctrl-C ends as ever."""
    before = termios.tcgetattr(sys.stdin)
    console = Console(highlight=False)
    try:
        tty.setcbreak(sys.stdin)
        with Live(console=console, screen=True, auto_refresh=False) as live:
            yield Screen(console, live)
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _drawn(view: View) -> RenderableType:
    keys = (_keys(view), "") if view.keys else ()
    return Group(_light(view), "", _rows(view), "", *keys, *map(Text, view.below))


def _light(view: View) -> RenderableType:
    name, words = view.meant
    light, tone_hz = view.given.colour, view.given.tone_hz
    body = UNLIT if light == DARK else LIT
    lamp = Text("\n".join([body * LIT_CHARS] * LIT_LINES), style=_rgb(light))
    pitch = {None: "", LOW_HZ: " low", HIGH_HZ: " high"}[tone_hz]
    others = (f"tone  {_bar(tone_hz is not None)}{pitch}", "", f"motor {_bar(view.given.vibrate)}")
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(width=OTHERS_CHARS)
    table.add_row(lamp, "\n".join(others), Text.assemble("\n", (name, "bold"), f"   {words}"))
    return table


def _bar(is_on: bool) -> str:
    return (LIT if is_on else UNLIT) * BAR_CHARS


def _rows(view: View) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, line in view.rows:
        table.add_row(Text(name, style="dim"), Text(line))
    return table


def _keys(view: View) -> RenderableType:
    table = Table.grid(padding=(0, 3))
    cells = [Text.assemble((key, "bold reverse"), f" {words}") for key, words in view.keys]
    for first in range(0, len(cells), KEYS_ABREAST):
        table.add_row(*cells[first : first + KEYS_ABREAST])
    return table


def _rgb(light: Colour) -> str:
    if light == DARK:
        return "dim"
    red, green, blue = (round(255 * part) for part in (light.red, light.green, light.blue))
    return f"rgb({red},{green},{blue})"
