"""Documents that other processes offer through the socket, and requests for certificates."""

from collections.abc import Callable
from typing import Any, Final

from agent.capture.current_manifest import CurrentManifest
from agent.capture.photo_credentials import PhotoCredentials
from agent.capture.receipts import Receipts
from agent.capture.turns import Turns
from agent.config import Config
from agent.errors import ExitCode
from agent.identity.capture_certificates import Evidence, ServeCertificate
from agent.identity.current_fleet import CurrentFleet
from agent.process.offer_result import OfferResult
from agent.queue.paths import Layout
from agent.trust.store import TrustStore
from hardware.clock import Clock

OFFERS: Final = (
    '{"offer": "manifest"|"fleet"|"evidence"|"serve"|"receipts", "text": "..."}, '
    '{"request": "evidence"}'
)
"""Requests that are possible, for the answer to an unknown one."""


class Documents:
    """The documents of capture; each member of the group may offer one, since capture verifies it.

    Attributes:
        evidence: the certificate for the signing key.
        credentials: signs photos with it; for the loop's thread.
        fleet: the fleet document in force.
        manifest: the manifest in force.
        receipts: the receipts of records.
        serve: the certificate that `doorstep serve` shows.
    """

    def __init__(self, config: Config, trust: TrustStore, clock: Clock, evidence: Evidence) -> None:
        self.evidence = evidence
        self.credentials = PhotoCredentials(config, evidence)
        self.fleet = CurrentFleet(config, trust)
        self.manifest = CurrentManifest(config, trust, clock, self.fleet)
        self.serve = ServeCertificate(config)
        self._offers: dict[str, Callable[[str], OfferResult]] = {
            "fleet": self.fleet.offer,
            "manifest": self.manifest.offer,
            "evidence": self.evidence.offer,
            "serve": self.serve.offer,
        }
        self.receipts = Receipts(Layout.of(config.state), self.fleet)
        self._turns = Turns()

    def tick(self) -> None:
        """Do the work of each second. Raises StorageFault as the manifest's tick does."""
        self.fleet.tick()
        self.credentials.tick()
        self.manifest.tick()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer an offer or a request for a document."""
        match request:
            case {"offer": str(kind), "text": str(text)} if offer := self._offers.get(kind):
                with self._turns.take():
                    return offer(text).reply()
            case {"offer": "receipts", "text": str(text)}:
                return self.receipts.offer(text)
            case {"request": "evidence"}:
                with self._turns.take():
                    return {"request": self.evidence.request()}
        return {"error": f"not an offer; it takes {OFFERS}", "exit": ExitCode.USAGE}
