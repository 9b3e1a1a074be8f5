"""The backend under test: its address, its keys, and the devices that ask it."""

import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from agent.record.receipt import Keys
from agent.tls import new_context
from tests.conformance.check import NoAnswer, NotChecked, Profile
from tests.conformance.line import ANSWER_WITHIN_S, Answer, Line
from tests.conformance.operator_command import OperatorCommand
from tests.support.factory import RecordMaker

if TYPE_CHECKING:  # these ask a target
    from tests.conformance.documents import Fleet
    from tests.conformance.enrolment import Enrolment

REQUESTS_LIMIT: Final = 3000
"""Most requests of a run: several times what all checks need, so that no fault makes them many."""

SENT_LIMIT_BYTES: Final = 100_000_000
"""Most bytes that a run sends: several times what all checks need."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that asks. `tls` is a PEM file of its TLS key and chain; None without identity."""

    maker: RecordMaker
    tls: Path | None = None

    @property
    def device_id(self) -> str:
        return self.maker.device_id


@dataclass
class Sent:
    """Count of what the run sent, and of what it left behind.

    Attributes:
        records: for each capture id that was announced, whether it got its receipt.
    """

    requests: int = 0
    bytes: int = 0
    records: dict[str, bool] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def note(self, sent_bytes: int) -> None:
        """Count one request. Raises NotChecked when the run has sent enough."""
        with self._changing:
            self.requests += 1
            self.bytes += sent_bytes
        if self.requests > REQUESTS_LIMIT or self.bytes > SENT_LIMIT_BYTES:
            limits = f"{REQUESTS_LIMIT:,} requests or {SENT_LIMIT_BYTES // 1_000_000} MB"
            raise NotChecked(f"this run has reached its limit of {limits}")


class Target:
    """A backend under test.

    Args:
        url: `backend.url`, as a device has it.
        ca: PEM of the authority that devices trust; None for those of this machine.
        keys: returns the keys that may sign receipts.
        devices: returns two devices or more, as they are now.
        routed: the device that has a manifest, in the profile receipts.
        fleet: the fleet document, for the profiles that have one.
        enrolment: the devices that the run enrols, for the profile fleet.

    Attributes:
        sent: what the run sent until now.
    """

    def __init__(
        self,
        url: str,
        profile: Profile,
        *,
        ca: Path | None,
        keys: Callable[["Target"], Keys],
        devices: Callable[["Target"], Sequence[Device]],
        operator: OperatorCommand,
        routed: Device | None = None,
        fleet: "Fleet | None" = None,
        enrolment: "Enrolment | None" = None,
    ) -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self.profile = profile
        self.ca = ca
        self.operator = operator
        self.sent = Sent()
        self._place = parts.hostname or "", parts.port or 443
        self._host, self._prefix = parts.netloc, parts.path.rstrip("/")
        self._keys = keys
        self._devices = devices
        self._routed = routed
        self._fleet = fleet
        self._enrolment = enrolment
        self._contexts: dict[Path | None, ssl.SSLContext] = {}

    @property
    def devices(self) -> Sequence[Device]:
        """The devices of the run, at least two."""
        return self._devices(self)

    @property
    def device(self) -> Device:
        """The device of most checks."""
        return self.devices[0]

    @property
    def other(self) -> Device:
        """A second device."""
        return self.devices[1]

    @property
    def routed(self) -> Device:
        """The device that has a manifest. Raises NotChecked without one."""
        if self.profile is not Profile.RECEIPTS:
            return self.device
        if self._routed is None:
            raise NotChecked("--manifest-of is missing, which names a device with a manifest")
        return self._routed

    def manifest_keys(self) -> Keys:
        """Return the keys that may sign manifests now."""
        return self.keys() if self._fleet is None else self._fleet.document(self).manifest_keys

    @property
    def fleet(self) -> "Fleet":
        """The fleet document as devices keep it."""
        assert self._fleet is not None, "chosen() makes no such check without one"
        return self._fleet

    @property
    def enrolment(self) -> "Enrolment":
        """The devices that the run enrols."""
        assert self._enrolment is not None, "chosen() makes no such check without it"
        return self._enrolment

    def keys(self) -> Keys:
        """Return the keys that may sign receipts now."""
        return self._keys(self)

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        device: Device | None = None,
    ) -> Answer:
        """Ask on a connection of its own, as `device`, by default the first; see `Line.ask`."""
        with self.line(device) as line:
            return line.ask(method, path, headers, body)

    def line(self, device: Device | None = None) -> Line:
        """Connect as this device, by default as the first.

        Raises:
            NotChecked: the server does not prove its name; `tls-name` fails then.
            NoAnswer: it cannot be reached, or refuses the device.
        """
        try:
            connection = self.tls_connection((device or self.device).tls)
        except ssl.SSLCertVerificationError as error:
            raise NotChecked("the server does not prove its name: see tls-name") from error
        except OSError as error:
            text = str(error) or type(error).__name__
            raise NoAnswer(f"{self.url} accepted no connection: {text}.") from error
        return Line(connection, self._host, self._prefix, self.sent.note)

    def tls_connection(self, tls: Path | None = None) -> ssl.SSLSocket:
        """Return a TLS connection that shows this key and chain, if any. Raises OSError."""
        plain = self.tcp_connection()
        try:
            return self._context(tls).wrap_socket(plain, server_hostname=self._place[0])
        except OSError:
            plain.close()
            raise

    def tcp_connection(self) -> socket.socket:
        """Return a TCP connection. Raises OSError."""
        plain = socket.create_connection(self._place, ANSWER_WITHIN_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def _context(self, tls: Path | None) -> ssl.SSLContext:
        if tls not in self._contexts:
            context = new_context(ssl.Purpose.SERVER_AUTH, self.ca)
            if tls is not None:
                context.load_cert_chain(tls)
            self._contexts[tls] = context
        return self._contexts[tls]
