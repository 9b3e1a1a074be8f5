"""Common parts of commands: the owner of the process, and POSIX signals; it loads little."""

import argparse
import os
import pwd
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.config import Config, load, path_of
from agent.errors import ConfigError, StorageFault
from agent.queue.disk import disk_errors
from agent.queue.paths import Layout
from hardware.foreign import read_file, read_whole

_CAPTURE_USER: Final = "doorstep-capture"
"""User that owns the state on a machine that has this user. Source: systemd/doorstep.sysusers."""

_REMEDY: Final = "`systemd-tmpfiles --create` makes it as it should be"

STANDARD_INPUT: Final = Path("-")
"""A file's name on the command line. Source: POSIX, utility syntax guideline 13."""

_FOLDER: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW


def configured(arguments: argparse.Namespace, *, drivers: bool = False) -> Config:
    """Read the configuration that the command line names; continue as the owner of its queue.

    Raises:
        ConfigError: it is wrong.
        StorageFault: as root: the queue's folder is not as a device's is.
    """
    config = load(path_of(arguments.config), drivers=drivers)
    become_owner(config)
    return config


def become_owner(config: Config) -> None:
    """Change to the owner of the queue for good, if this process is root's; raise StorageFault."""
    layout = Layout(config.state.dir, config.state.run_dir)
    become(owner_of(layout.queue, layout.state))


def owner_of(folder: Path, state: Path) -> os.stat_result | None:
    """Return the owner that root becomes, so that no file of root's gets into `state`, or None.

    Root works as root in a state that is its own, or that does not exist, and only if the units
    have no users: in a container, or on a laptop. A user who is not root does not change.

    Raises:
        StorageFault: in a state of the units' `folder` is missing, root's, or reached by a link.
    """
    if os.geteuid() != 0:
        return None
    found = _look(folder, state)
    if found is not None and found.st_uid != 0:
        return found
    if _is_the_units(state):
        what = "not there" if found is None else "root's, where a process's own user is right"
        raise StorageFault(f"{folder}: {what}; {_REMEDY}")
    return None


def _look(folder: Path, state: Path) -> os.stat_result | None:
    """Look at a folder of the state; None if it is missing. The state's owner may make links."""
    place = state
    with (
        disk_errors(f"cannot look at {folder}"),
        ExitStack() as opened,
        suppress(FileNotFoundError),
    ):
        descriptor = os.open(state, os.O_PATH)  # root's own link may lead to it
        opened.callback(os.close, descriptor)
        for part in folder.relative_to(state).parts:
            place /= part
            try:
                descriptor = os.open(part, _FOLDER, dir_fd=descriptor)
            except NotADirectoryError as error:
                raise StorageFault(f"{place}: not a folder; {_REMEDY}") from error
            opened.callback(os.close, descriptor)
        return os.fstat(descriptor)
    return None


def _is_the_units(state: Path) -> bool:
    with suppress(FileNotFoundError):
        if state.stat().st_uid != 0:
            return True
    with suppress(KeyError):
        pwd.getpwnam(_CAPTURE_USER)
        return True
    return False


def become(owner: os.stat_result | None) -> None:
    """Change to this owner for good; None changes nothing."""
    if owner is None:
        return
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:  # a card of another machine
        os.setgroups([owner.st_gid])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


def read_input(path: Path, limit_bytes: int) -> bytes:
    """Return the content of a file that the command line names; `-` is standard input.

    Raises:
        ConfigError: it cannot be read, or is longer than the limit.
    """
    try:
        if path == STANDARD_INPUT:
            return read_whole(sys.stdin.buffer, limit_bytes)
        return read_file(path, limit_bytes)
    except OSError as error:
        raise ConfigError(f"{named(path)}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{named(path)}: {error}") from error


def named(path: Path) -> str:
    """Return the name of an input for people."""
    return "standard input" if path == STANDARD_INPUT else str(path)


@contextmanager
def signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """End cleanly at SIGTERM and SIGINT; yields a list that holds which one it was."""
    kinds = (signal.SIGTERM, signal.SIGINT)
    told: list[int] = []

    def end(kind: int, _frame: object) -> None:
        if not told:  # a second one may come in the midst of the first
            told.append(kind)
            stop()

    before = [signal.signal(kind, end) for kind in kinds]
    try:
        yield told
    finally:
        for kind, old in zip(kinds, before, strict=True):
            signal.signal(kind, old)
