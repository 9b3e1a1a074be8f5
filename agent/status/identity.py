"""What the status says of this device's certificates: until when, and what is wrong, in words."""

from datetime import UTC, datetime
from typing import Any, Final

from agent.config import Config, IdentityMode
from agent.models import rfc3339
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.certificates import Chain
from agent.trust.authorities import kept_evidence
from agent.trust.store import TrustStore
from hardware.clock import BUILT

BY_SYNC: Final = ("tls_until", "identity_trouble")
"""What sync says of this among what it says of itself."""


def identity(config: Config, sync: dict[str, Any] | None) -> dict[str, Any]:
    """The part of the status; what only sync knows is what it says under BY_SYNC."""
    said = {} if sync is None else sync
    tls_until, trouble = (said.get(name) for name in BY_SYNC)
    if config.identity.mode is IdentityMode.OFF:
        return {"mode": config.identity.mode}
    evidence = kept_evidence(TrustStore(Layout.of(config.state)))
    return {
        "mode": config.identity.mode,
        "tls_until": tls_until,
        "evidence_until": rfc3339(certificates.ends(evidence[0])) if evidence else None,
        "trouble": wrong_clock() or trouble or said.get("pause") or _unknown(sync, evidence),
    }


def wrong_clock(now: datetime | None = None) -> str | None:
    """What is to be said of a clock that is certainly wrong; None of any other."""
    found = now or datetime.now(UTC)
    if found >= BUILT:
        return None
    return f"the clock says {found:%Y-%m-%d}, which is past: no certificate can be judged by it"


def words(identity: dict[str, Any]) -> str:
    """The same, for a terminal."""
    if identity["mode"] == IdentityMode.OFF:
        return "off: anybody may say that they are this device; for the bench only"
    known = {"TLS certificate": "tls_until", "evidence certificate": "evidence_until"}
    told = [f"{what} until {identity[name][:10]}" for what, name in known.items() if identity[name]]
    return "; ".join([*told, identity["trouble"] or ""]).rstrip("; ") or "nothing known"


def _unknown(sync: dict[str, Any] | None, evidence: Chain) -> str | None:
    if sync is None:
        return "sync does not run: nothing is known of the TLS certificate"
    return None if evidence else "no evidence certificate yet"
