"""Tells systemd that the process is up, and that it lives; does nothing outside systemd.

Source: sd_notify(3). The datagram is all there is to it, and python-systemd needs a compiler.
"""

import os
import socket


def ready() -> None:
    """Say that start-up is done."""
    _send(b"READY=1")


def alive() -> None:
    """Feed the watchdog."""
    _send(b"WATCHDOG=1")


def _send(message: bytes) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.send(message)
