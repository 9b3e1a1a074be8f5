"""`doorstep rescue`: list and save the records on a dead device's card, or on an image of it.

The source is opened for reading only: the command mounts a copy.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import ConfigError, ExitCode, StorageFault, StorageFull
from agent.queue import owned, superblock
from agent.record import certificates
from agent.record.certificates import CertificateChain
from agent.rescue import card_files, mounting, places, source, summary
from agent.rescue.copying import copy, work_folder
from agent.rescue.keeping import Keeper
from agent.rescue.owner import FleetMatch, Owner, owner
from agent.rescue.rows import rows
from agent.rescue.source import FileSystemPlace
from agent.rescue.summary import Tally, counted, line

_DDRESCUE: Final = "`ddrescue -d -r3 CARD card.img card.map` gets more; then run this on card.img"

_SECRETS: Final = {
    "trust/manifest.jws": "the present route: today's doors, readable to everybody with the card",
    "keys/capture/device.pem": "the device's signing key",
    "keys/sync/tls.pem": "the device's TLS key: in the office, `devices gone ID` shuts it out",
}
"""Other remains on a card that a person has to know of."""


@dataclass(frozen=True, slots=True)
class MountedState:
    """A state that is mounted.

    Attributes:
        where: its place on the card, for a person.
        unread_bytes: bytes that could not be read, of all copies made to mount it.
    """

    folder: Path
    where: str
    unread_bytes: int


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep rescue IMAGE|DEVICE [--to DIR] [--ca FILE]`."""
    ours = certificates.read_authorities(arguments.ca) if arguments.ca else ()
    if os.geteuid() != 0:
        raise ConfigError("run this as root: it mounts a copy of what is on the card")
    with source.opened(arguments.source) as card, ExitStack() as mounts:
        mounting.hide_mounts()
        for place in source.file_systems(card, arguments.source):
            if (state := _state(card, place, mounts)) is not None:
                return _rescued(state, ours, arguments.to)
    words = "no file system on it that holds a Doorstep's state, or none that can be read"
    raise StorageFault(f"{arguments.source}: {words}; {_DDRESCUE}")


def _state(card: int, place: FileSystemPlace, mounts: ExitStack) -> MountedState | None:
    """Mount the state in a file system: all of it, a folder in it, or a file in it."""
    try:
        root, unread = _mounted(card, place, mounts)
        where = place.where
        if (inner := _image(root, mounts)) is not None:
            image, place = inner
            root, more = _mounted(image, place, mounts)
            where, unread = f"{where}, {place.where} there", unread + more
    except StorageFull:
        raise
    except StorageFault as error:
        print(line("passed by", f"{place.where}: {error}"))
        return None
    folder = places.state_below(root)
    return None if folder is None else MountedState(folder, where + _history(place), unread)


def _mounted(card: int, place: FileSystemPlace, mounts: ExitStack) -> tuple[Path, int]:
    """Mount a copy; return its folder, and the number of bytes that could not be read."""
    if place.superblock.is_odd:
        raise StorageFault("it wants another disk or options of its own, which Doorstep's never do")
    size = place.superblock.bytes
    print(line("copying", f"{place.where}, {size // 1_000_000:,} MB"), flush=True)
    work = tempfile.TemporaryFile(dir=work_folder())  # noqa: SIM115 - closed below
    target = mounts.enter_context(work).fileno()
    unread = copy(card, place.offset, size, target)
    return mounts.enter_context(mounting.mounted(target, mends=unread > 0)), unread


def _image(root: Path, mounts: ExitStack) -> tuple[int, FileSystemPlace] | None:
    """Return the state's image file in a device's root; None if it is missing or was never used."""
    image = mounts.enter_context(places.image_below(root))
    place = None if image is None else source.file_system_at(image, 0, "/" + "/".join(places.IMAGE))
    if image is None or place is None or place.superblock.label == superblock.NOT_YET:
        return None
    return image, place


def _history(place: FileSystemPlace) -> str:
    if place.superblock.is_dirty:
        return "; it lost power: its journal was played back, in a copy"
    return "; it was shut down in order"


def _rescued(state: MountedState, ours: CertificateChain, target: Path | None) -> int:
    whose = owner(state.folder, ours)
    is_foreign = whose.fleet is FleetMatch.ANOTHERS
    with nullcontext() if target is None or is_foreign else owned.opened(target) as folder:
        keeper = None if folder is None else Keeper(folder)
        return _report(state, whose, keeper, target)


def _report(state: MountedState, whose: Owner, keeper: Keeper | None, target: Path | None) -> int:
    is_foreign = whose.fleet is FleetMatch.ANOTHERS
    tally = Tally()
    for one in card_files.files(state.folder):
        if keeper is not None:
            keeper.keep(one)
        tally.add(one)
    told = rows(state.folder)
    for words in summary.lines(state.where, whose, tally, told, list(_also(state))):
        print(words)
    is_whole = summary.is_all_whole(tally, summary.chains(tally, told or ()))
    if is_foreign:
        print(line("copied", "nothing: it is another fleet's; give it back, or to the police"))
        is_whole = False
    if keeper is not None and target is not None:
        _tell_kept(keeper, target, whose)
    if not tally.whole and (tally.torn or tally.unread or state.unread_bytes):
        return ExitCode.FAULT
    is_whole = is_whole and not state.unread_bytes and not (keeper and keeper.others)
    return ExitCode.DONE if is_whole else ExitCode.NOT_GENUINE


def _also(state: MountedState) -> Iterator[str]:
    if state.unread_bytes:
        yield f"{state.unread_bytes // 1_000:,} KB of the card could not be read; {_DDRESCUE}"
    for name, words in _SECRETS.items():
        *folders, file = name.split("/")
        place = places.below(state.folder, *folders)
        if place is not None and os.path.lexists(place / file):
            yield words
    if quarantined := list(state.folder.glob("queue.aside-*")):
        yield f"{counted(len(quarantined), 'queue')} that broke: nothing in it is needed"


def _tell_kept(keeper: Keeper, target: Path, whose: Owner) -> None:
    keeper.keep_certificate(whose.chain)
    words = f"{counted(keeper.kept, 'whole record')} to {target}"
    if keeper.before:
        words += f", {keeper.before} were there before"
    if keeper.torn:
        words += f", {counted(keeper.torn, 'torn file')} to {target / 'torn'}"
    print(line("copied", words))
    for name in keeper.others[: summary.SHOWN_MOST]:
        print(line("not copied", f"{name}: a record of this name with other bytes lies there"))
    if keeper.kept or keeper.before:
        print(line("next", f"doorstep sync --from {target} --config technician.toml"))
