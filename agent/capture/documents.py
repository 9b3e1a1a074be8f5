"""Documents that other processes offer through the socket, and requests for certificates."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from agent.capture.current_manifest import CurrentManifest
from agent.capture.photo_credentials import PhotoCredentials
from agent.config import Config
from agent.errors import ExitCode
from agent.identity.capture_certificates import Evidence, ServeCertificate
from agent.identity.current_fleet import CurrentFleet
from agent.trust.store import TrustStore
from hardware.clock import Clock

OFFERS: Final = (
    '{"offer": "manifest"|"fleet"|"evidence"|"serve", "text": "..."}, {"request": "evidence"}'
)
"""Requests that are possible, for the answer to an unknown one."""

REST_S: Final = 0.25
"""Least time between two documents: a process that may offer may do so without end."""

REST_SHARE: Final = 3.0
"""Rest after a document, as a multiple of its time: presses have the interpreter meanwhile.

The longest manifest, of 4 MB, takes it a second (November 2026, a laptop).
"""


class Documents:
    """The documents of capture; each member of the group may offer one, since capture verifies it.

    Capture verifies one at a time, in the thread of the client that offers it; a press waits for
    none.

    Attributes:
        evidence: the certificate for the signing key.
        credentials: signs photos with it; for the loop's thread.
        fleet: the fleet document in force.
        manifest: the manifest in force.
        serve: the certificate that `doorstep serve` shows.
    """

    def __init__(self, config: Config, trust: TrustStore, clock: Clock, evidence: Evidence) -> None:
        self.evidence = evidence
        self.credentials = PhotoCredentials(config, evidence)
        self.fleet = CurrentFleet(config, trust)
        self.manifest = CurrentManifest(config, trust, clock, self.fleet)
        self.serve = ServeCertificate(config)
        self._looking = threading.Lock()
        self._rested_s = 0.0

    def tick(self) -> None:
        """Do the work of each second. Raises StorageFault as the manifest's tick does."""
        self.fleet.tick()
        self.credentials.tick()
        self.manifest.tick()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer an offer or a request for a document."""
        match request:
            case {"offer": "fleet", "text": str(text)}:
                with self._in_turn():
                    return self.fleet.offer(text).reply()
            case {"offer": "manifest", "text": str(text)}:
                with self._in_turn():
                    return self.manifest.offer(text).reply()
            case {"offer": "evidence", "text": str(text)}:
                with self._in_turn():
                    return self.evidence.offer(text).reply()
            case {"offer": "serve", "text": str(text)}:
                with self._in_turn():
                    return self.serve.offer(text).reply()
            case {"request": "evidence"}:
                with self._in_turn():
                    return {"request": self.evidence.request()}
        return {"error": f"not an offer; it takes {OFFERS}", "exit": ExitCode.USAGE}

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._looking:
            time.sleep(max(self._rested_s - time.monotonic(), 0.0))
            began_s = time.monotonic()
            try:
                yield
            finally:
                ended_s = time.monotonic()
                self._rested_s = ended_s + max(REST_S, REST_SHARE * (ended_s - began_s))
