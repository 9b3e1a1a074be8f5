"""Tells systemd that the process is up, and that it lives; does nothing outside systemd.

Source: sd_notify(3). The datagram is all there is to it, and python-systemd needs a compiler.
"""

import os
import socket
from contextlib import suppress
from typing import Final

EXTENDED_S: Final = 60
"""Time by which each sign of progress extends a start: a card may hang for seconds."""


def ready() -> None:
    """Say that start-up is done; wait while systemd is too busy to listen."""
    _send(b"READY=1")


def alive() -> None:
    """Feed the watchdog.

    If systemd has not read the last messages yet, this one is left out: a press does not wait for
    systemd, and the unread ones say the same.
    """
    with suppress(BlockingIOError):
        _send(b"WATCHDOG=1", socket.MSG_DONTWAIT)


def extend_start() -> None:
    """Feed the watchdog in long work; in a start that lasts, ask for more time, too.

    systemd ends a start that takes longer than TimeoutStartSec= and says nothing.
    """
    with suppress(BlockingIOError):  # as in `alive`
        message = f"WATCHDOG=1\nEXTEND_TIMEOUT_USEC={EXTENDED_S * 1_000_000}"
        _send(message.encode(), socket.MSG_DONTWAIT)


def is_started_by_systemd() -> bool:
    """Return True if systemd started this process, and so starts it again."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def _send(message: bytes, flags: int = 0) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(message, flags)
