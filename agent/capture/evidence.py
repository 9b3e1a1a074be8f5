"""The evidence certificate: capture has the key, asks for it, and alone decides what counts."""

import threading

from agent.config import Config
from agent.errors import DoorstepError, ExitCode, NotGenuine
from agent.process.control import Line
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.signing import PrivateKey
from agent.trust.authorities import expected, now
from agent.trust.store import TrustStore


class Evidence:
    """The certificate for the key that signs records.

    Args:
        config: with identity required.
        key: the signing key.
    """

    def __init__(self, config: Config, key: PrivateKey) -> None:
        self._config = config
        self._key = key
        self._store = TrustStore(Layout.of(config.state))
        self._one_at_a_time = threading.Lock()

    def request(self) -> str:
        """What to ask an authority with: PKCS#10, PEM."""
        return certificates.request_pem(certificates.request(self._key, self._config.device.id))

    def take(self, text: str) -> None:
        """Keep this chain, PEM, durably, if it is one for this key and device.

        Raises:
            NotGenuine: it is not; what was kept before stays.
            ConfigError: `identity.ca` cannot be read.
            StorageFault: the disk failed.
        """
        found = certificates.read_pem(text.encode())
        chain = certificates.issued(found, self._key.public_key(), expected(self._config))
        certificates.check_evidence(chain[0])
        if (ended := certificates.ends(chain[0])) <= now():
            raise NotGenuine(f"it ended on {ended:%Y-%m-%d}; is this device's clock right?")
        with self._one_at_a_time:
            self._store.keep_evidence(certificates.pem(chain))

    def answer(self, request: Line) -> Line:
        """Answer a request of the control socket that is about it, from any thread."""
        match request:
            case {"request": "evidence"}:
                return {"request": self.request()}
            case {"offer": "evidence", "text": str(text)}:
                return self._offered(text)
        words = '{"request": "evidence"}, {"offer": "evidence", "text": "PEM"}'
        return {"error": f"unknown request; one of: {words}", "exit": ExitCode.USAGE}

    def _offered(self, text: str) -> Line:
        try:
            self.take(text)
        except NotGenuine as error:
            return {"taken": False, "why": str(error), "again": False}
        except DoorstepError as error:
            return {"taken": False, "why": str(error), "again": True}
        return {"taken": True}
