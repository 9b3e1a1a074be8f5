"""Tells systemd that the process is up, and that it lives; does nothing outside systemd.

Source: sd_notify(3). The datagram is all there is to it, and python-systemd needs a compiler.
"""

import os
import socket
from typing import Final

EXTENDED_S: Final = 60
"""How long a start may go on after it last said that it gets on: a card may hang for seconds."""


def ready() -> None:
    """Say that start-up is done."""
    _send(b"READY=1")


def alive() -> None:
    """Feed the watchdog."""
    _send(b"WATCHDOG=1")


def gets_on() -> None:
    """Feed the watchdog in long work; in a start that lasts, ask for more time, too.

    systemd ends a start that takes longer than TimeoutStartSec= and says nothing.
    """
    _send(f"WATCHDOG=1\nEXTEND_TIMEOUT_USEC={EXTENDED_S * 1_000_000}".encode())


def is_heard() -> bool:
    """Whether systemd listens: it started this process, and starts it again."""
    return bool(os.environ.get("NOTIFY_SOCKET"))


def _send(message: bytes) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(message)
