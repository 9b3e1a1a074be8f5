"""A driver's round: real processes, real HTTPS, a simulated board; then a table of what came of it.

Simulated is only what is hardware: camera, buttons, light, GPS, battery.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from doorstep_backend.office.model import Office
from tests.demo import people, screen, story
from tests.demo.foreign import play as foreign
from tests.demo.foreign import route
from tests.demo.foreign.device import DEVICE
from tests.demo.options import read_options
from tests.demo.play import play
from tests.demo.round import play_round
from tests.support.backend import Backend, running_backend

SETTINGS: Final = 'zone = "Europe/Berlin"\n'
"""Settings of the backend: the round's doors are in this zone."""


def main() -> int:
    """Play the round; 0 only when everything came to what the story says."""
    arguments = read_options()
    if arguments.manifest:
        print(route.town().manifest)
        return 0
    if arguments.play and not screen.is_there():
        print("--play needs a terminal, whose keys are the device's buttons.", file=sys.stderr)
        print("Start it in one, or without --play: then it plays by itself.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda _kind, _frame: sys.exit(1))
    if arguments.backend:
        given = arguments.backend, arguments.config, arguments.token
        with _folder(arguments.keep, DEVICE) as folder:
            return foreign.play(folder, *given, kept=arguments.keep is not None)
    with ExitStack() as opened:
        folder = opened.enter_context(_folder(arguments.keep))
        (folder / "backend.toml").write_text(SETTINGS)
        backend = opened.enter_context(
            running_backend(folder, switches=False, show_simulated=True, identity=True)
        )
        office = story.demo_office(folder, "demo-01")
        if arguments.play:
            people.let_in(office)
            play(folder, backend, office)
            code = 0
        else:
            code = _play_by_itself(folder, backend, office)
        if arguments.keep:
            print(f"Everything is in {folder}; look at {folder / 'photos'}")
        if arguments.serve:
            _serve(backend, office)
        elif not arguments.play:
            print("\n" + "\n".join(people.WITHOUT_PAGES))
    return code


def _play_by_itself(folder: Path, backend: Backend, office: Office) -> int:
    began_s = time.monotonic()
    problems = play_round(folder, backend, office)
    print("\n".join(f"WRONG: {problem}" for problem in problems))
    print(f"{'INCOMPLETE' if problems else 'Complete'} in {time.monotonic() - began_s:.0f} s.")
    return 1 if problems else 0


@contextmanager
def _folder(keep: Path | None, known: str | None = None) -> Iterator[Path]:
    """Make a folder; one that has things in it is refused, except if one of them is `known`."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="doorstep-") as folder:
            yield Path(folder).resolve()
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"{keep} cannot be made: {error.strerror}")
    if any(keep.iterdir()) and not (known and (keep / known).exists()):
        sys.exit(f"{keep} is not empty; give an empty or a new folder")
    yield keep.resolve()


def _serve(backend: Backend, office: Office) -> None:
    """Let the demo's people sign in until Ctrl-C."""
    people.let_in(office)
    told = [people.address(backend), *people.table(office), "", *people.AFTER_THE_ROUND, ""]
    print("\n" + "\n".join(told))
    print(f"The pages stay up until Ctrl-C. Their CA is {backend.ca_file}", flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    os.environ.pop("DOORSTEP_CONFIG", None)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
