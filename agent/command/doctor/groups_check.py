"""Check of this user's access to the things that doctor checks, and of its missing groups."""

import grp
import os
import pwd
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.config import Config
from agent.queue.paths import Layout
from hardware.driver import KINDS, DeviceFiles, load

STATE: Final = DeviceFiles("the state of Doorstep", "doorstep", ())
"""Source: systemd/doorstep.sysusers."""


@dataclass(frozen=True, slots=True)
class Who:
    """The user: `groups` are those of this process, `members` those in /etc/group."""

    name: str
    uid: int
    groups: Collection[int]
    members: Collection[int]


@dataclass(frozen=True, slots=True)
class Need:
    """A place that is read and written; `group_name` is the number of a group without a name."""

    device_files: DeviceFiles
    place: Path
    owner: int
    group: int
    group_name: str
    mode: int


def missing(who: Who, needs: Iterable[Need]) -> Iterator[str]:
    """Yield a line for each thing that `who` may not use, with its remedy."""
    told: set[str] = set()
    for need in needs:
        what = need.device_files.what
        if what not in told and not _may_use(who, need):
            told.add(what)
            yield f"{who.name} may not use {what} ({need.place}): {_remedy(who, need)}"


def _may_use(who: Who, need: Need) -> bool:
    """Return the kernel's decision: the first match of owner, group and others counts alone."""
    if who.uid == 0:
        return True
    if who.uid == need.owner:
        bits = need.mode >> 6
    elif need.group in who.groups:
        bits = need.mode >> 3
    else:
        bits = need.mode
    wanted = stat.S_IROTH | (stat.S_IXOTH if need.device_files == STATE else stat.S_IWOTH)
    return bits & wanted == wanted


def _remedy(who: Who, need: Need) -> str:
    if need.group == 0 or need.group in who.groups:
        if need.device_files == STATE:
            return "`systemd-tmpfiles --create` gives it the owners and modes that it should have"
        return (
            f"no rule of udev gives it to the group {need.device_files.group}; "
            "`scripts/provision` puts one there, or run this as root"
        )
    if need.group in who.members:
        return f"is of the group {need.group_name} only since the last login: log in again"
    return (
        f"not of the group {need.group_name}: `sudo usermod -aG {need.group_name} {who.name}` and "
        "log in again, or run this as root"
    )


def this_user() -> Who:
    """Return the user of this process."""
    uid, groups = os.geteuid(), {os.getegid(), *os.getgroups()}
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Who(str(uid), uid, groups, groups)
    return Who(entry.pw_name, uid, groups, os.getgrouplist(entry.pw_name, entry.pw_gid))


def of_the_state(config: Config) -> list[str]:
    """Return why this user cannot use the state."""
    places = (Layout.of(config.state).state, Layout.of(config.state).run)
    return list(missing(this_user(), _needs(STATE, places)))


def of_the_devices(config: Config, dev: Path = Path("/dev")) -> list[str]:
    """Return why this user cannot use the configured devices."""
    wanted = [
        need
        for device_files in _device_files(config)
        for pattern in device_files.patterns
        for need in _needs(device_files, sorted(dev.glob(pattern)))
    ]
    return list(missing(this_user(), wanted))


def _device_files(config: Config) -> Iterator[DeviceFiles]:
    for part in KINDS:
        settings = getattr(config, part)
        driver = load(part, settings.kind)
        if driver.device_files is not None:
            yield driver.device_files(driver.own(settings))


def _needs(device_files: DeviceFiles, places: Iterable[Path]) -> Iterator[Need]:
    """Yield the existing places; one that cannot be read is reported for the place above it."""
    for place in places:
        try:
            found = place.stat()
        except OSError:
            continue
        name = _group_name(found.st_gid)
        yield Need(
            device_files, place, found.st_uid, found.st_gid, name, stat.S_IMODE(found.st_mode)
        )


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
