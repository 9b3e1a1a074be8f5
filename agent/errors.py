"""What can go wrong: one base, one family per part, each with the exit code a command ends with."""

from typing import ClassVar


class DoorstepError(Exception):
    """Any failure that the operator is told in words; a bug is never one of these."""

    exit_code: ClassVar[int] = 70


class ConfigError(DoorstepError, ValueError):
    """The configuration or the command line is wrong; nothing was started."""

    exit_code = 2


class NotGenuine(DoorstepError, ValueError):
    """A signature, or what it covers, does not verify."""

    exit_code = 65


class RecordDamaged(NotGenuine):
    """A record file's bytes are not what its label says."""


class StorageFault(DoorstepError, OSError):
    """The disk or the database failed: an I/O error, or gone read-only."""


class StorageFull(StorageFault):
    """The disk has no room beyond its reserve."""


class QueueBroken(StorageFault):
    """The database is corrupt or gone; capture makes it again from the record files."""


class NotNow(DoorstepError):
    """Nothing is broken; try again later. A lock is held, or capture has not made the queue yet."""

    exit_code = 75


class UnknownItem(DoorstepError, LookupError):
    """No such record in the queue."""

    exit_code = 2
