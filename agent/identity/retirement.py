"""The end of this device at the backend: asked for, and what the answer means."""

import json
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from agent.config import Config, IdentityMode
from agent.errors import NotNow
from agent.identity.authorities import expected
from agent.identity.tls_identity import IdentityStore
from agent.queue.paths import Layout
from agent.wire import tls
from agent.wire.http import Backend
from agent.wire.tus import Answer, quoted
from hardware.foreign import read_json

_REVOKED: Final = "certificate revoked"
"""Beginning of the 403 by which a revoked device is refused. Source: agent/docs/wire.md."""

_CHAINS_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Revoked:
    """A device that the backend lets in no more, or never did.

    Attributes:
        words: the reason.
        received: number of records of each chain at the backend; empty if it did not say.
    """

    words: str
    received: dict[str, int]


def retire(config: Config) -> dict[str, Any]:
    """Revoke this device; return `words`, `received` and the certificate's `serial`, JSON types.

    Raises:
        DoorstepError: it was not revoked, or that is unknown: no network, or another answer.
    """
    device_id = config.device.id
    if config.identity.mode is IdentityMode.OFF:
        return _as_json(Revoked("identity.mode is off: there is nothing to revoke", {}))
    own = IdentityStore(Layout.of(config.state)).read(expected(config))
    if own is None:
        words = f"never enrolled: in the office, `devices gone {device_id}` ends its token"
        return _as_json(Revoked(words, {}))
    backend = Backend(config.backend, tls=tls.for_backend(config))
    with closing(backend), backend.attempt():
        answer = backend.retire(json.dumps({"device_id": device_id}).encode())
    return _as_json(judged(answer, device_id), f"{own.chain[0].serial_number:x}")


def _as_json(revoked: Revoked, serial: str | None = None) -> dict[str, Any]:
    return {"words": revoked.words, "received": revoked.received, "serial": serial}


def judged(answer: Answer, device_id: str) -> Revoked:
    """Judge an answer; pure.

    Raises:
        NotNow: the device is not revoked.
    """
    text = answer.body.decode("utf-8", "replace")
    if answer.status == 403 and text.startswith(_REVOKED):
        how = "by an earlier try" if "retired" in text else "by the office"
        return Revoked(f"was revoked before, {how}", {})
    if answer.status == 200 and (received := _received(answer.body, device_id)) is not None:
        return Revoked("revoked: the backend lets it in no more", received)
    raise NotNow(f"not revoked: {quoted('the question', answer)}")


def _received(body: bytes, device_id: str) -> dict[str, int] | None:
    """Return the received count of each chain, if the answer is about this device."""
    try:
        told = read_json(body)
        if told["device_id"] != device_id:
            return None
        chains = [(str(one["chain"])[:128], one["received"]) for one in told["chains"]]
    except (ValueError, TypeError, KeyError):
        return None
    return {name: count for name, count in chains[:_CHAINS_MOST] if type(count) is int}
