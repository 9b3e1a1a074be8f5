"""`doorstep retire`: a device leaves the fleet: all is sent, then it is revoked, then wiped.

The renaming of the configuration is the commit point. Before it, nothing was wiped and a run begins
again. After it, each run continues the wiping that the mark beside the configuration describes, and
a file that cannot be wiped does not end a run early.

The order:

1. stop the units, and check for unsent records again;
2. refuse if the state has a file system of its own and anything else is on it;
3. have the device revoked by `POST {base}/retire` with its own certificate; a device with identity
   off, or one that never enrolled, has nothing to revoke;
4. write the mark `retired.json` beside the configuration, then rename the configuration;
5. disable the units, and overwrite and delete keys, `trust/`, queue, records, and the fleet's files
   beside the configuration;
6. if the state has a file system of its own, unmount it and overwrite it whole: an image file is
   deleted, a partition stays empty.
"""

import argparse
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from agent.capture.technician import ROUTE_IN_HAND, kept_route
from agent.command import state_disk, units, unsent
from agent.command.owners import Report, run_as
from agent.command.shared import owner_of
from agent.command.state_access import floor
from agent.command.state_disk import StateDisk
from agent.command.unsent import Unsent
from agent.config import DEFAULT_PATH, Config, load, path_of
from agent.errors import (
    ConfigError,
    DoorstepError,
    ExitCode,
    FailedElsewhere,
    NotNow,
    StorageFault,
    is_missing,
)
from agent.identity import retirement
from agent.models import printable, rfc3339
from agent.queue.deleting import Deleter, Left
from agent.queue.disk import disk_errors, lock, sync_folder, write_durably
from agent.queue.paths import Layout
from agent.rule.manifest import Manifest
from hardware.clock_system import SystemClock
from hardware.foreign import SMALL_BYTES, read_file, read_json

MARK: Final = "retired.json"
"""Beside the configuration; it stays, and says which device this was."""

_MARK_MODE: Final = 0o644

_NEW: Final = "new"
"""Name of the next configuration beside the present one, left by an interrupted provisioning.

Source: scripts/provisioning/roles/doorstep_agent/tasks/configuration.yml.
"""

_WORLD: Final = ("world.json", "world.part")
"""Source: hardware/simulated/world.py."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The notes for a later run that finds the configuration deleted; nothing in them is a secret.

    Attributes:
        state, run: folders that are wiped.
        files: of the configuration, and those that it named beside itself.
        disk: the state's own file system, as `StateDisk`; None if it has none.
        is_provisioned: True if there are units.
        line: for the office's books.
        is_wiped: True if all that was done: files there since then belong to another life.
    """

    device_id: str
    state: str
    run: str
    files: list[str]
    disk: dict[str, str] | None
    is_provisioned: bool
    line: str
    is_wiped: bool = False


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep retire DEVICE_ID [--discard N]`."""
    path = path_of(arguments.config)
    mark = _read(path.with_name(MARK)) if is_missing(path) else None
    if mark is None:
        config = load(path)
        _check_named(config.device.id, arguments.device_id)
        mark = _end(config, path, arguments.discard)
    else:
        _check_named(mark.device_id, arguments.device_id)
    kept: list[str] = []
    if mark.is_wiped:
        say("wiped", "before; nothing was done now")
    else:
        kept = _wipe(mark, path)
        if not kept:
            _keep(replace(mark, is_wiped=True), path)
    say("left", "the system, its SSH keys and networks: overwrite the card before it is sold")
    say("register", mark.line)
    if kept:
        words = "not all of it is wiped; see to this, then run this again"
        raise StorageFault(f"{words}: {'; '.join(kept)}")
    return ExitCode.DONE


def say(step: str, words: str) -> None:
    """Print a line per step, at once."""
    print(printable(f"{step:<10}  {words}"), flush=True)


def _check_named(own: str, given: str) -> None:
    if own != given:
        raise ConfigError(f"this is {own}, not {given}: nothing was done")


def _end(config: Config, path: Path, given_up: int) -> Mark:
    """Do everything up to the commit point; until then a failure leaves the device as it was."""
    layout, is_provisioned = Layout.of(config.state), path == DEFAULT_PATH and units.are_there()
    if not os.access(layout.state, os.R_OK | os.W_OK | os.X_OK):
        raise FailedElsewhere("run this as root: the state is not this user's", ExitCode.USAGE)
    as_capture = partial(run_as, owner_of(layout.queue, layout.state))
    as_sync = partial(run_as, owner_of(layout.sync_keys, layout.state))
    _check(_found(config, as_capture), given_up)
    with ExitStack() as opened:
        stopping = units.stopped() if is_provisioned else nullcontext(units.Stopped())
        running = opened.enter_context(stopping)
        opened.enter_context(_nobody_at_work(layout))
        found = _found(config, as_capture)  # a press may have come meanwhile
        _check(found, given_up)
        disk, beside = state_disk.own_disk(layout.state), _beside(config, path)
        if disk is not None:
            state_disk.check_alone(layout.state)
        if is_provisioned:
            beside.append(path.with_name(_NEW))
        revoked = as_sync(lambda: _revoked(config))
        say("revoked", f"{config.device.id}: {revoked.get('words')}")
        mark = Mark(
            config.device.id,
            str(layout.state.resolve()),
            str(layout.run.resolve()),
            [str(one) for one in (*beside, _old(path))],
            {"path": str(disk.path), "uuid": disk.uuid} if disk else None,
            is_provisioned,
            _line(config.device.id, found, revoked, given_up),
        )
        _keep(mark, path)
        with disk_errors("cannot take the configuration away"):
            path.rename(_old(path))
        running.ended()
    return mark


def _found(config: Config, as_capture: Callable[[Callable[[], Report]], Report]) -> Report:
    """Count the records that only this device has; only root sees those in `lost+found`."""
    found, salvaged = as_capture(lambda: _look(config)), config.state.dir / state_disk.SALVAGED
    doing = f"cannot look into {salvaged}"
    with disk_errors(doing), suppress(FileNotFoundError), os.scandir(salvaged) as entries:
        found["unsent"]["torn"] += sum(1 for _ in entries)
    return found


def _look(config: Config) -> Report:
    """Count unsent records, and look for a route in force, as capture."""
    route = kept_route(config, SystemClock(floor(Layout.of(config.state))))
    ends = f"{route.ends:%Y-%m-%d %H:%M} UTC" if isinstance(route, Manifest) else None
    return {**unsent.look(config), "route": ends}


def _check(found: Report, given_up: int) -> None:
    if found["route"]:
        raise NotNow(f"{ROUTE_IN_HAND}, at {found['route']}; nothing was done")
    if words := unsent.why_not(Unsent(**found["unsent"]), given_up):
        raise NotNow(words)


@contextmanager
def _nobody_at_work(layout: Layout) -> Iterator[None]:
    """Keep capture and sync from running within the block."""
    with ExitStack() as held:
        for name, path in (("capture", layout.capture_lock), ("sync", layout.sync_lock)):
            if not path.exists():
                continue
            try:
                held.enter_context(lock(path, exclusive=True, wait=False))
            except NotNow as error:
                words = f"`doorstep {name}` runs: stop it first; nothing was done"
                raise NotNow(words) from error
        yield


def _revoked(config: Config) -> Report:
    """Ask for the revocation as sync, the owner of the certificate."""
    try:
        return retirement.retire(config)
    except DoorstepError as error:
        words = f"in the office, `devices gone {config.device.id}` does it without the device"
        raise FailedElsewhere(f"{error}; nothing was wiped; {words}", error.exit_code) from error


def _old(path: Path) -> Path:
    """Return the name of a configuration that no longer counts, until it is wiped."""
    return path.with_name(f"{path.name}.retired")


def _beside(config: Config, path: Path) -> list[Path]:
    """Return the fleet's files in the configuration's folder: others may be in use elsewhere."""
    named = (config.identity.ca, config.identity.fleet_key, config.backend.ca)
    folder, all_of_it = path.parent.resolve(), (*named, *config.backend.receipt_keys)
    return [one for one in all_of_it if one is not None and one.parent.resolve() == folder]


def _line(device_id: str, found: Report, revoked: Report, given_up: int) -> str:
    """Return a line for the office's books: the device, the day, and the end of its chains."""
    received = revoked.get("received") or {}
    parts = [f"{device_id} retired {rfc3339(datetime.now(UTC))}"]
    parts.append(f"certificate {revoked.get('serial') or 'none'}")
    for chain, (last, receipts) in found["chains"].items():
        there = f", {received[chain]} at the backend" if chain in received else ""
        parts.append(f"chain {chain} to #{last}, {receipts} receipts here{there}")
    return "; ".join([*parts, f"given up {given_up}"])


def _keep(mark: Mark, path: Path) -> None:
    """Write the notes durably; a cut leaves the earlier ones."""
    text = json.dumps(asdict(mark)).encode()
    write_durably(path.with_name(MARK), text, _MARK_MODE, whole=True)


def _read(path: Path) -> Mark | None:
    """Read the notes of an earlier run; None without one.

    Raises:
        ConfigError: this command did not write them.
    """
    try:
        return Mark(**read_json(read_file(path, SMALL_BYTES)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read as the mark of a retired device") from error


def _wipe(mark: Mark, path: Path) -> list[str]:
    """Wipe all that is the fleet's, the keys first; return an error text for each failure.

    No failure ends this early: the state's disk is erased all the same. Files that an earlier run
    has wiped are skipped.
    """
    kept: list[str] = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost SSH connection must not end the wiping
    try:
        sync_folder(path.parent)  # makes the removal of the configuration durable
        if mark.is_provisioned:
            units.disable()
    except OSError as error:
        kept.append(str(error))
    layout = Layout(Path(mark.state), Path(mark.run))
    # a link is deleted, but not its target, which may be another program's
    inside, count = _wiped(state_disk.own_entries(layout.state))
    beside, files = _wiped([*map(Path, mark.files), *_in_run(layout)])
    said = f"configuration, keys, records, queue and what was trusted ({files + count} files)"
    say("wiped", f"{said}; but not {inside}" if inside.count else said)
    if beside.count:
        kept.append(str(beside))
    if mark.disk is None:
        return [*kept, str(inside)] if inside.count else kept
    try:
        _erase(StateDisk(Path(mark.disk["path"]), mark.disk["uuid"]), layout.state)
    except OSError as error:
        kept.append(str(error))
    return kept


def _wiped(places: Iterable[Path]) -> tuple[Left, int]:
    """Wipe these places; return files that could not be wiped, and the count of wiped ones."""
    left, count = Left(), 0
    try:
        for place in places:
            deleter = Deleter(place, overwrites=True)
            deleter.finish()
            left.join(deleter.left)
            count += deleter.files
    except OSError as error:  # the state folder cannot be read
        left.add(os.fsencode(error.filename or ""), error)
    return left, count


def _in_run(layout: Layout) -> Iterator[Path]:
    yield from (layout.capture_socket, layout.sync_socket.parent)
    yield from (layout.run / name for name in ("status.json", "status.part", *_WORLD))


def _erase(disk: StateDisk, state: Path) -> None:
    """Free blocks and the journal too: they hold what was there before."""
    state_disk.unmount(state)
    say("erasing", f"{disk.path}, which may take minutes")
    if length := state_disk.erase(disk):
        say("erased", f"{length // 1_000_000:,} MB of it, free room and journal too")
