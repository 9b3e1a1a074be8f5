"""Objects without a row: what a crash, a lost database or somebody by hand left behind."""

import argparse
from typing import Any

from tests.backend.wire.store import Store


def add_to(commands: Any) -> None:
    command = commands.add_parser("objects", help="what lies there and no upload is known of")
    command.add_argument("what", choices=["stray"])
    command.add_argument(
        "--delete", action="store_true", help="for good; not after the database was restored"
    )


def run(options: argparse.Namespace, store: Store) -> str:
    """Carry out the command; returns what to print.

    The backend may serve meanwhile: what begins until its turn comes is left alone.
    """
    found = stray(store)
    for capture_id in found if options.delete else ():
        if store.find(capture_id) is None:
            store.objects.erase(capture_id)
    told = "deleted" if options.delete else "nothing was deleted: --delete does"
    return "\n".join([*found, f"captures with objects and without an upload: {len(found)}; {told}"])


def stray(store: Store) -> list[str]:
    """Returns their ids. An upload that begins meanwhile is none: its row is there before it."""
    return [capture_id for capture_id in store.objects.ids() if store.find(capture_id) is None]
