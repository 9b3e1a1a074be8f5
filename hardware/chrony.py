"""The source that chrony's daemon follows: asked over loopback, by the daemon's own protocol.

The kernel says whether its clock is synchronised, and not by which source. Any user may ask the
daemon, unless chrony.conf has `cmdport 0`.
A datagram and not `chronyc`: capture asks again and again, and starts no process for it.
"""

import secrets
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

PORT: Final = 323
"""Port on which chronyd answers commands of this machine. Source: chrony.conf(5), cmdport."""

WAIT_S: Final = 0.1
"""Longest wait for an answer: from a daemon on this machine it takes 0.1 ms."""

_VERSION: Final = 6
"""Version of the protocol, since chrony 2.2 of 2015. Source: candm.h, PROTO_VERSION_NUMBER."""

_REQUEST, _REPLY = 1, 2
_TRACKING: Final = 33
_TRACKING_REPLY: Final = 5
_SUCCESS: Final = 0
"""Source for these and the two formats: chrony's candm.h, CMD_Request, CMD_Reply, RPY_Tracking."""

_ASKED: Final = struct.Struct("!BBxxHHI8x84x")
"""Version, type, command, attempt, sequence; as long as the answer, else none comes."""

_ANSWERED: Final = struct.Struct("!BBxxHHH6xI8x4s16sHxxHH48x")
"""Version, type, command, reply, status, sequence; reference id, address, family, stratum, leap.

A reference clock has no address: family 0.
"""

_UNSYNCHRONISED: Final = 3
"""Leap status of a clock that follows nobody. Source: RFC 5905 section 7.3."""

_ITSELF: Final = bytes([127, 127, 1, 1])
"""Reference id of `local`: chrony follows nobody. Source: chronyc(1), tracking."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The source that the daemon follows.

    Attributes:
        name: an address, or what the reference clock is called in chrony.conf.
        is_network: False for a reference clock, as a receiver is, and for this machine itself.
    """

    name: str
    is_network: bool


def reference(port: int = PORT) -> Reference | None:
    """Ask the chronyd of this machine; None where none answers, or it follows nobody.

    Takes WAIT_S at most.
    """
    sequence = secrets.randbits(32)
    asked = _ASKED.pack(_VERSION, _REQUEST, _TRACKING, 0, sequence)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
            connection.settimeout(WAIT_S)
            connection.connect(("127.0.0.1", port))
            connection.send(asked)
            return parse(connection.recv(1024), sequence)
    except OSError:
        return None


def parse(reply: bytes, sequence: int) -> Reference | None:
    """Read a reply; None if it answers another request, or names no source."""
    if len(reply) < _ANSWERED.size:
        return None
    *head, refid, address, family, _stratum, leap = _ANSWERED.unpack_from(reply)
    is_ours = head == [_VERSION, _REPLY, _TRACKING, _TRACKING_REPLY, _SUCCESS, sequence]
    if not is_ours or leap == _UNSYNCHRONISED or refid in {_ITSELF, bytes(4)}:
        return None
    match family:
        case 0:
            return Reference(_printable(refid), is_network=False)
        case 1:
            return _server(IPv4Address(address[:4]))
        case 2:
            return _server(IPv6Address(address))
        case _:
            return None


def _server(address: IPv4Address | IPv6Address) -> Reference:
    return Reference(str(address), is_network=not address.is_loopback)


def _printable(refid: bytes) -> str:
    text = refid.rstrip(b"\0").decode("latin-1")
    return text if text.isascii() and text.isprintable() else refid.hex()
