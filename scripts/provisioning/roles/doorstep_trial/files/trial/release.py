"""The releases on this device: which is its own, which one is tried, and what came of it.

What there is to know after a power cut is one link: `/opt/doorstep/previous` leads to the release
to go back to, and is there exactly while another one is tried. Each step may be done again.
"""

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNIT_NAME: Final = re.compile(r"doorstep-(?!(trial|state)\b)[a-z-]+\.service")
"""A release's own units; never those of provisioning: what tries it, what checks the state."""

UNDER_WAY, DONE, BACK = "under way", "done", "rolled back"
"""Outcomes of a trial."""


@dataclass(frozen=True, slots=True)
class Places:
    """The files and folders of a trial; all are root's, and no other user may write there."""

    opt: Path = Path("/opt/doorstep")
    units: Path = Path("/etc/systemd/system")
    run: Path = Path("/run")

    @property
    def current(self) -> Path:
        """A link to the release that the units start."""
        return self.opt / "current"

    @property
    def previous(self) -> Path:
        """A link to the release to go back to; there only during a trial."""
        return self.opt / "previous"

    @property
    def result(self) -> Path:
        """File with the result of the last trial, as JSON."""
        return self.opt / "trial.json"

    @property
    def request(self) -> Path:
        """File with the release to try, as JSON, until it is tried; deleted by a boot."""
        return self.run / "doorstep-trial.json"

    @property
    def begun(self) -> Path:
        """There while this boot's trial is under way."""
        return self.run / "doorstep-trial.begun"


def flush(folder: Path) -> None:
    """Flush the names in a folder, so that they survive a power cut."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write(path: Path, text: str) -> None:
    """Write a file of root's so that a power cut leaves the old or the new one whole."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    part.replace(path)
    flush(path.parent)


def lead(link: Path, target: Path) -> None:
    """Replace a link so that a power cut leaves the old or the new one."""
    part = link.with_name(f"{link.name}.new")
    part.unlink(missing_ok=True)
    part.symlink_to(target)
    part.replace(link)
    flush(link.parent)


def units_in(folder: Path) -> dict[str, str]:
    """Return the units of Doorstep in a folder, by name."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {one.name: one.read_text("utf-8") for one in found if UNIT_NAME.fullmatch(one.name)}


def install_units(places: Places, release: Path) -> bool:
    """Put a release's units in place, and take away what other releases alone have.

    Returns whether anything changed. Systemd is not told. One that has none leaves those in use:
    without units nothing starts, and no boot mends that.
    """
    wanted, there = units_in(release / "units"), units_in(places.units)
    if not wanted:
        return False
    of_releases = {one.name for one in places.opt.glob("releases/*/units/*")}
    for name, text in wanted.items():
        if there.get(name) != text:
            write(places.units / name, text)
    gone = (there.keys() & of_releases) - wanted.keys()
    for name in gone:
        (places.units / name).unlink()
    if gone:
        flush(places.units)
    return bool(gone) or any(there.get(name) != text for name, text in wanted.items())


def keep_units(places: Places, release: Path) -> None:
    """Give a release that was installed by hand, so without units in its folder, those in use."""
    kept, part = release / "units", release / "units.part"
    if kept.is_dir() or not release.is_dir():
        return
    part.mkdir(exist_ok=True)
    for name, text in units_in(places.units).items():
        write(part / name, text)
    part.rename(kept)
    flush(release)


def use(places: Places, release: Path) -> list[str]:
    """Have a release's units start it; return what changed: "units", "current". Tell no systemd."""
    before = places.current.readlink() if places.current.is_symlink() else None
    if before is not None and before != release:
        keep_units(places, before)
    changed = ["units"] if install_units(places, release) else []
    if before != release:
        lead(places.current, release)
        changed.append("current")
    return changed


def make_room(places: Places, *kept: Path) -> None:
    """Delete the releases that are neither in use nor to be kept; none where none is in use.

    `.complete` first: a power cut in the middle leaves none that passes for whole.
    """
    if not places.current.exists():
        return  # it leads nowhere: any of them may be the one to go back to
    names = {one.name for one in (places.current.readlink(), *kept)}
    for one in sorted((places.opt / "releases").iterdir()):
        if one.name in names or not one.is_dir():
            continue
        (one / ".complete").unlink(missing_ok=True)
        flush(one)
        shutil.rmtree(one)


def begin(places: Places, release: Path) -> None:
    """Begin a trial: from `previous` on a power cut leads back, until `stay`.

    The units that going back needs are kept before that.
    """
    before = places.current.readlink()
    keep_units(places, before)
    lead(places.previous, before)
    use(places, release)


def stay(places: Places, words: str) -> None:
    """Keep the release for good; write the result first, or a power cut could lose it."""
    tell(places, places.current.readlink().name, DONE, words)
    places.previous.unlink()
    flush(places.opt)


def go_back(places: Places, why: str) -> None:
    """Make the release before the device's own again, with its units; the caller starts it.

    A release that was deleted is not gone back to, and a result for which there is no space stops
    nothing.
    """
    tried, before = told(places).get("release", "a release"), places.previous.readlink()
    if before.is_dir():
        use(places, before)
    else:
        why = f"{why}; it was left running, since {before} is gone"
    with suppress(OSError):
        tell(places, tried, BACK, why)
    places.previous.unlink()
    flush(places.opt)


def tell(places: Places, release: str, outcome: str, why: str) -> None:
    """Write the outcome of a trial into the file and the journal."""
    write(places.result, json.dumps({"release": release, "outcome": outcome, "why": why}) + "\n")
    print(f"event=trial release={release} outcome={outcome!r} why={why!r}", flush=True)


def told(places: Places) -> dict[str, str]:
    """Return the outcome of the last trial; empty without one, or if its file is corrupt."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(places.result.read_text("utf-8"))
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if isinstance(value, str)}
    return {}


def is_under_way(places: Places) -> bool:
    """Return True while a release is on trial, or about to be rolled back."""
    marks = (places.request, places.begun)
    return places.previous.is_symlink() or any(mark.exists() for mark in marks)
