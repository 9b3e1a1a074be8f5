"""The evidence certificate: capture has the key, asks for it, and alone decides what counts."""

from agent.config import Config
from agent.errors import DoorstepError, NotGenuine
from agent.process.verdict import TAKEN, Verdict
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.signing import PrivateKey
from agent.trust.authorities import check_not_ended, expected
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

    def request(self) -> str:
        """What to ask an authority with: PKCS#10, PEM."""
        return certificates.request_pem(certificates.request(self._key, self._config.device.id))

    def offer(self, text: str) -> Verdict:
        """Take it, if it counts; durable when this returns."""
        try:
            self._take(text)
        except NotGenuine as error:
            return Verdict(str(error))
        except DoorstepError as error:
            return Verdict(str(error), again=True)
        return TAKEN

    def _take(self, text: str) -> None:
        """Keep this chain, PEM, if it is one for this key and device; what was kept stays else."""
        found = certificates.read_pem(text.encode())
        chain = certificates.issued(found, self._key.public_key(), expected(self._config))
        certificates.check_evidence(chain[0])
        check_not_ended(chain[0])
        self._store.keep_evidence(certificates.pem(chain))
