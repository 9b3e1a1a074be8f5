"""Work that can delete no file: SQLite opens what another process may have written.

A journal beside a database may name another file, which SQLite deletes once the journal was played
back (sqlite.org/atomiccommit.html, section 5: the super-journal). A process that may write `queue/`
could so make capture or prune delete a record or a key when they open the queue.
"""

import ctypes
import platform
import struct
import threading
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_KINDS: Final = {"x86_64": (0xC000003E, (87, 263)), "aarch64": (0xC00000B7, (35,))}
"""AUDIT_ARCH_* and the numbers of unlink and unlinkat. Source: Linux, include/uapi/linux/audit.h
and arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h."""

_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001
"""BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K; SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM.

Source: Linux, include/uapi/linux/bpf_common.h and seccomp.h.
"""

_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2
"""PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER. Source: prctl(2)."""


def without_deleting(work: Callable[[], T]) -> T:
    """Return the result of `work`, run in a thread in which the kernel refuses to delete files.

    Only that thread is limited. On a processor that Doorstep does not run on, and on a kernel
    without seccomp, nothing is refused.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _refuse_deleting()
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _refuse_deleting() -> None:
    if (kind := _KINDS.get(platform.machine())) is None:
        return
    program = _program(*kind)
    libc = ctypes.CDLL(None)
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(program))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        libc.prctl(_SECCOMP, _FILTER, ctypes.create_string_buffer(described), 0, 0)


def _program(machine: int, calls: tuple[int, ...]) -> "ctypes.Array[ctypes.c_char]":
    """Return a filter that refuses these calls, and allows all others and other machines' calls."""
    steps = [(_LOAD, 0, 0, 4), (_EQUALS, 0, len(calls) + 1, machine), (_LOAD, 0, 0, 0)]
    steps += [(_EQUALS, len(calls) - index, 0, call) for index, call in enumerate(calls)]
    steps += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    return ctypes.create_string_buffer(code, len(code))
