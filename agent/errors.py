"""The errors of the agent: one base, one family per part, each with a command's exit code."""

import errno
from enum import IntEnum
from pathlib import Path
from typing import ClassVar, Final


class ExitCode(IntEnum):
    """Exit codes of commands: from NOT_GENUINE on those of sysexits.h, INTERRUPTED a shell's."""

    DONE = 0
    USAGE = 2
    REFUSED = 3
    RETAKE = 4
    NOT_GENUINE = 65
    FAULT = 70
    LATER = 75
    INTERRUPTED = 130


class DoorstepError(Exception):
    """A failure that is reported to the operator; a bug is never one of these."""

    exit_code: ClassVar[int] = ExitCode.FAULT


class ConfigError(DoorstepError, ValueError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = ExitCode.USAGE


class NotReadNow(ConfigError):
    """A file that the configuration names could not be read this time; it need not be wrong."""

    exit_code = ExitCode.LATER


_PASSING: Final = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Errors that a second try may not have: card, descriptors, memory. Source: open(2), read(2)."""


def unreadable(words: str, error: Exception) -> ConfigError:
    """Make the error for a configuration file that was not read: wrong, or worth another try."""
    passes = isinstance(error, OSError) and error.errno in _PASSING
    return NotReadNow(f"{words}; try again") if passes else ConfigError(words)


def not_read(path: Path, what: str, error: Exception) -> ConfigError:
    """Make the error for a public file: missing, closed to this user, or not `what` in PEM."""
    put = f"put {what} there, PEM"
    match error:
        case FileNotFoundError():
            words = f"{path} does not exist; {put}"
        case PermissionError():
            words = f"{path} cannot be read by this process's user: `chmod 0644 {path}`"
        case OSError():
            words = f"{path} cannot be read: {error.strerror}"
        case _:
            words = f"{path} is not usable; {put}"
    return unreadable(words, error)


def is_missing(path: Path) -> bool:
    """Return whether nothing is at `path`; False if that cannot be told: reading will say why."""
    try:
        path.stat()
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


class NotGenuine(DoorstepError, ValueError):
    """A signature, or what it covers, does not verify."""

    exit_code = ExitCode.NOT_GENUINE


class UnknownSigner(NotGenuine):
    """Signed by a key that is not trusted here; a newer fleet document may name it."""


class RecordDamaged(NotGenuine):
    """A record file's bytes are not what its label says."""


class StorageFault(DoorstepError, OSError):
    """The disk or the database failed: an I/O error, or gone read-only."""


class StorageFull(StorageFault):
    """The disk has no room beyond its reserve."""


class QueueBroken(StorageFault):
    """The database is corrupt or gone; capture makes it again from the record files."""


class TooManyFiles(StorageFault):
    """`records/` has more files than any device makes."""


class StateHeld(StorageFault):
    """Another process has held a lock for too long; the disk is sound, and so are the records."""


class NotNow(DoorstepError):
    """Nothing is broken; try again later. A lock is held, or capture has not made the queue yet."""

    exit_code = ExitCode.LATER


class NotEnrolled(NotNow):
    """A device without a TLS certificate; `doorstep enrol` gets it one."""


class FailedElsewhere(DoorstepError):
    """A failure of another process, with its message and exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # this one differs by instance


class UnknownItem(DoorstepError, LookupError):
    """No such record in the queue."""

    exit_code = ExitCode.USAGE
