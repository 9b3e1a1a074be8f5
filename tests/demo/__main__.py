"""A driver's round: real processes, real HTTPS, a simulated board; then a table of what came of it.

Simulated is only what is hardware: camera, buttons, light, GPS, battery.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.backend import demo
from tests.backend.office import Office
from tests.backend.pages import PREFIX
from tests.backend.pages.accounts import Accounts
from tests.backend.process import Backend, running_backend
from tests.demo import story
from tests.demo.round import play_round


def main() -> int:
    """Play the round; 0 only when everything came to what the story says."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda _kind, _frame: sys.exit(1))
    began_s = time.monotonic()
    with (
        _folder(arguments.keep) as folder,
        running_backend(folder, switches=False, show_simulated=True) as backend,
    ):
        office = story.town(folder, "demo-01")
        problems = play_round(folder, backend, office)
        print("\n".join(f"WRONG: {problem}" for problem in problems))
        print(f"{'INCOMPLETE' if problems else 'Complete'} in {time.monotonic() - began_s:.0f} s.")
        if arguments.keep:
            print(f"Everything is in {folder}; look at {folder / 'photos'}")
        if arguments.serve:
            _serve(backend, office)
    return 1 if problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("scripts/demo", description=__doc__)
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="leave everything in DIR: received/, photos/, records/ of the backend, and demo-01/ "
        "and demo-02/, the two devices with configuration, state/ and logs",
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="then leave the backend's pages up for a browser on this machine, until Ctrl-C",
    )
    return parser.parse_args()


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="doorstep-") as folder:
            yield Path(folder).resolve()
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f"{keep} cannot be made: {error.strerror}")
    if any(keep.iterdir()):
        sys.exit(f"{keep} is not empty; give an empty or a new folder")
    yield keep.resolve()


def _serve(backend: Backend, office: Office) -> None:
    """Let the demo's people sign in until Ctrl-C."""
    Accounts(office.ledger).add_all(demo.ACCOUNTS)
    print(f"\nThe pages are at {backend.base_url}{PREFIX}/ until Ctrl-C; a browser asks about the")
    print(f"certificate, which is the demo's own ({backend.ca_file}). Sign in as")
    for one in demo.ACCOUNTS:
        print(f"  {one.role:<9} {one.who:<9} {one.password}")
    sys.stdout.flush()  # also into a pipe
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
