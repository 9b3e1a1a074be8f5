"""What can go wrong: one base, one family per part, each with the exit code a command ends with."""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command ends with; from NOT_GENUINE on as in sysexits.h, INTERRUPTED as a shell's."""

    DONE = 0
    USAGE = 2
    REFUSED = 3
    RETAKE = 4
    NOT_GENUINE = 65
    FAULT = 70
    LATER = 75
    INTERRUPTED = 130


class DoorstepError(Exception):
    """Any failure that the operator is told in words; a bug is never one of these."""

    exit_code: ClassVar[int] = ExitCode.FAULT


class ConfigError(DoorstepError, ValueError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = ExitCode.USAGE


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


class StateHeld(StorageFault):
    """Another process has held a lock for too long; the disk is sound, and so are the records."""


class NotNow(DoorstepError):
    """Nothing is broken; try again later. A lock is held, or capture has not made the queue yet."""

    exit_code = ExitCode.LATER


class FailedElsewhere(DoorstepError):
    """What another process could not do, in its words and with its exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # this one differs by instance


class UnknownItem(DoorstepError, LookupError):
    """No such record in the queue."""

    exit_code = ExitCode.USAGE
