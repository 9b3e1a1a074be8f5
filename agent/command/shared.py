"""What several commands share: whose process it is, and POSIX signals; it loads little."""

import argparse
import os
import pwd
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from agent.config import Config, load, path_of
from agent.errors import StorageFault
from agent.queue.disk import disk_errors
from agent.queue.paths import Layout, check_age

_CAPTURE_USER: Final = "doorstep-capture"
"""Where there is this user, the state is its own. Source: systemd/doorstep.sysusers."""

_REMEDY: Final = "`systemd-tmpfiles --create` makes it as it should be"

_FOLDER: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW


def configured(arguments: argparse.Namespace, *, drivers: bool = False) -> Config:
    """The configuration that the command line names; goes on as the owner of its queue.

    Raises:
        ConfigError: it is wrong.
        StateTooOld: a release before the oldest accepted one left the state.
        StorageFault: as root: the queue's folder is not as a device's is.
    """
    config = load(path_of(arguments.config), drivers=drivers)
    check_age(config.state.dir)
    become_owner(config)
    return config


def become_owner(config: Config) -> None:
    """Be the owner of the queue from now on, if this process is root's; raise StorageFault."""
    layout = Layout(config.state.dir, config.state.run_dir)
    become(owner_of(layout.queue, layout.state))


def owner_of(folder: Path, state: Path) -> os.stat_result | None:
    """Whom root goes on as, so that no file of root's gets into `state`; None for nobody else.

    Root works as root in a state that is its own, or that is not there yet, and only where the
    units have no users: in a container, or on a laptop. Whoever is not root stays who they are.

    Raises:
        StorageFault: in a state of the units' `folder` is not there, root's, or reached by a link.
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
    """A folder of the state; None where it is not there. Whoever owns the state may lay links."""
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
    """Be this owner from now on, for good; None changes nothing."""
    if owner is None:
        return
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:  # a card of another machine
        os.setgroups([owner.st_gid])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


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
