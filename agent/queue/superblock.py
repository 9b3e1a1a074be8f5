"""The reader of an ext4 file system's superblock; pure, and nothing of it is believed.

Source of the layout: Linux, Documentation/filesystems/ext4/super.rst.
"""

import struct
import uuid
from dataclasses import dataclass
from typing import Final

OFFSET: Final = 1_024
"""Start of the superblock in a file system, in bytes."""

LENGTH: Final = 1_024

OF_THE_STATE: Final = "doorstep-state"
"""Label of a file system that was the state.

Source: scripts/provisioning/roles/doorstep_state/files/state-file-system.sh.
"""

NOT_YET: Final = "doorstep-new"
"""Label of a file system made for the state and not mounted yet: the state is elsewhere."""

_MAGIC: Final = 0xEF53
_RECOVER, _JOURNAL_DEVICE, _64_BIT = 0x4, 0x8, 0x80
"""Bits of s_feature_incompat."""

_LARGEST_SHIFT: Final = 6
"""s_log_block_size of blocks of 64 KB, the largest there are."""


@dataclass(frozen=True, slots=True)
class Superblock:
    """The values of a superblock; none is checked against the rest of the file system.

    Attributes:
        bytes: size of the file system.
        is_dirty: its journal holds writes that are not yet in their place.
        is_odd: it names a journal on another disk, is one, or brings options for its own mount:
            mkfs leaves none of that, and a kernel that mounts it would obey.
    """

    uuid: str
    label: str
    bytes: int
    is_dirty: bool
    is_odd: bool


def read(content: bytes) -> Superblock | None:
    """Read the superblock at the beginning of `content`; None if there is no superblock."""
    if len(content) < LENGTH or struct.unpack_from("<H", content, 0x38)[0] != _MAGIC:
        return None
    blocks, shift = (struct.unpack_from("<I", content, at)[0] for at in (0x04, 0x18))
    bits, journal = (struct.unpack_from("<I", content, at)[0] for at in (0x60, 0xE4))
    if shift > _LARGEST_SHIFT:
        return None
    if bits & _64_BIT:
        blocks += struct.unpack_from("<I", content, 0x150)[0] << 32
    label = content[0x78:0x88].partition(b"\0")[0].decode("ascii", "replace")
    return Superblock(
        uuid=str(uuid.UUID(bytes=content[0x68:0x78])),
        label=label,
        bytes=blocks << (10 + shift),
        is_dirty=bool(bits & _RECOVER),
        is_odd=bool(bits & _JOURNAL_DEVICE or journal or content[0x200:0x240].strip(b"\0")),
    )
