"""The events that wake the sync loop: a change of the network, or another thread."""

import logging
import select
import socket
from contextlib import suppress
from typing import Final

log = logging.getLogger(__name__)

_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE. Source: linux/rtnetlink.h."""

_MESSAGE_BYTES: Final = 65_536
"""Longer than any message; the content does not matter."""


class LinkWatch:
    """The kernel's reports of changed links, addresses and routes; none if there is no netlink."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        """To wait on with select: one, or none."""
        try:
            self.sockets.append(_listen())
        except OSError as error:
            log.warning("event=link_watch_absent error=%r meaning=retries_by_time_only", str(error))

    def changed(self) -> bool:
        """Return True if anything changed since the last call; never waits."""
        changed = False
        with suppress(BlockingIOError):
            for netlink in self.sockets:
                while _take(netlink):
                    changed = True
        return changed

    def close(self) -> None:
        """Stop watching."""
        for netlink in self.sockets:
            netlink.close()
        self.sockets.clear()


class Waker:
    """A pair of sockets by which another thread wakes the loop."""

    def __init__(self) -> None:
        self._read_end, self._write_end = socket.socketpair()
        self._read_end.setblocking(False)

    def wake(self) -> None:
        """Wake the loop; harmless if it is awake, or has ended."""
        with suppress(OSError):
            self._write_end.send(b"!")

    def wait(self, seconds: float, others: list[socket.socket]) -> None:
        """Wait for a call of `wake`, for input on one of `others`, or until the time is up."""
        select.select([self._read_end, *others], [], [], seconds)
        with suppress(BlockingIOError):
            self._read_end.recv(4096)

    def close(self) -> None:
        """Close the sockets."""
        self._read_end.close()
        self._write_end.close()


def _listen() -> socket.socket:
    netlink = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
    )
    try:
        netlink.bind((0, _GROUPS))
    except OSError:
        netlink.close()
        raise
    return netlink


def _take(netlink: socket.socket) -> bool:
    try:
        netlink.recv(_MESSAGE_BYTES)
    except BlockingIOError:
        raise
    except OSError:  # ENOBUFS: more changes than fitted
        return True
    return True
