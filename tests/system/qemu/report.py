"""The results of the checks: printed while they run, and kept in build/device/report.txt."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from tests.system.qemu.machine import CommandFailed, NotUp

NAME_WIDTH: Final = 50

WIDTH: Final = 100


class Stop(Exception):
    """The rest of this stage needs the part that just failed."""


@dataclass(slots=True)
class Report:
    """Checks and figures, stage by stage.

    Attributes:
        out: where it is printed at once.
        kept: a file that gets each line too: what was seen outlives a run that is broken off.
        failed: names of the checks that failed, with their stage.
    """

    out: TextIO
    kept: Path
    failed: list[str] = field(default_factory=list)
    passed: int = 0
    _stage: str = ""

    def check(self, name: str, ok: bool, seen: str = "") -> bool:
        """Tell whether `name` holds, and what was seen; returns `ok`."""
        if ok:
            self.passed += 1
        else:
            self.failed.append(f"{self._stage}: {name}")
        self._tell("ok    " if ok else "FAILED", name, seen)
        return ok

    def need(self, name: str, ok: bool, seen: str = "") -> None:
        """Check the same, and end the stage if it fails. Raises Stop."""
        if not self.check(name, ok, seen):
            raise Stop

    def figure(self, name: str, value: str) -> None:
        """Tell a measurement: it is neither right nor wrong."""
        self._tell("     .", name, value)

    def text(self, text: str) -> None:
        """Tell lines as they are, indented."""
        for line in text.rstrip().splitlines():
            self.say(f"          {line}")

    def say(self, line: str = "") -> None:
        print(line, file=self.out, flush=True)
        with self.kept.open("a") as file:
            print(line, file=file)

    @contextmanager
    def stage(self, name: str, about: str) -> Iterator[None]:
        """Checks of one stage; what breaks it off is a failed check, and the next one begins."""
        self._stage = name
        began_s = time.monotonic()
        self.say(f"\n{name}: {about}")
        self.say("-" * min(WIDTH, len(name) + 2 + len(about)))
        try:
            yield
        except Stop:
            self.say("          the rest of this stage was not tried")
        except (AssertionError, CommandFailed, NotUp, OSError) as error:
            self.check("the stage ran to its end", ok=False, seen=type(error).__name__)
            self.text(str(error))
        self.say(f"          {time.monotonic() - began_s:.0f} s")

    def end(self) -> int:
        """Tell how it went; the exit code."""
        self.say()
        for name in self.failed:
            self.say(f"FAILED  {name}")
        self.say(f"{self.passed} ok, {len(self.failed)} failed; kept in {self.kept}")
        return 1 if self.failed else 0

    def _tell(self, how: str, name: str, seen: str) -> None:
        first, *rest = seen.splitlines() or [""]
        self.say(f"  {how}  {name:<{NAME_WIDTH}}  {first}".rstrip())
        for line in rest:
            self.say(f"{'':{NAME_WIDTH + 12}}{line}")
