"""Error messages for what the system did not let a command do."""

import errno
import os
from typing import Final

from doorstep_backend.engines.unavailable import Unavailable

_FORBIDDEN: Final = "this user may not use it; run the command as its owner, or name another path"

REMEDIES: Final = {
    errno.ENOENT: "this path does not exist; make the folder, or correct the path",
    errno.EEXIST: "this path exists already and is not overwritten; name another path",
    errno.ENOTDIR: "a part of this path is a file, where a folder is needed; correct the path",
    errno.EISDIR: "this is a folder, where a file is needed; name a file",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.ENAMETOOLONG: "the name is too long; name a shorter one",
    errno.ENOSPC: "the disk is full; make room, or name a place on another disk",
    errno.EDQUOT: "the disk is full for this user; make room, or name a place on another disk",
    errno.EROFS: "the disk cannot be written to; name a place on another disk",
}
"""By the number of the error; source of what each means: errno(3)."""


def os_error_text(error: OSError) -> str:
    """Return the sentence; that of the backend's own errors is their own."""
    if isinstance(error, Unavailable) or error.filename is None:
        return error.strerror or str(error)
    path = os.fsdecode(error.filename)
    return f"{path}: {REMEDIES.get(error.errno or 0, error.strerror or 'cannot be used')}"
