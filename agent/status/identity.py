"""What the status says of this device's certificates: until when, and what is wrong, in words."""

from datetime import UTC, datetime
from typing import Any, Final

from agent.config import Config, IdentityMode
from hardware.clock import BUILT

BY_SYNC: Final = ("tls_until", "identity_trouble")
"""What sync says of this among what it says of itself."""

BY_CAPTURE: Final = ("evidence_until", "serve_until")
"""The same of capture, which has verified both."""


def identity(
    config: Config, capture: dict[str, Any] | None, sync: dict[str, Any] | None
) -> dict[str, Any]:
    """The part of the status; who does not run says nothing."""
    if config.identity.mode is IdentityMode.OFF:
        return {"mode": config.identity.mode}
    by_capture, by_sync = capture or {}, sync or {}
    trouble = wrong_clock() or by_sync.get("identity_trouble") or by_sync.get("pause")
    return {
        "mode": config.identity.mode,
        "tls_until": by_sync.get("tls_until"),
        **{name: by_capture.get(name) for name in BY_CAPTURE},
        "trouble": trouble,
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
