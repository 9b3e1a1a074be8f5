"""What the status says of this device's certificates: until when, and what is wrong, in words."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from agent.config import Config, IdentityMode
from hardware.clock import BUILT

_BY_CAPTURE: Final = ("evidence_until", "serve_until")
"""What capture says of this, which has verified both; the rest is sync's."""


_TOLD_BY: Final = {"capture": "the evidence certificate", "sync": "the TLS certificate"}


def identity(
    config: Config,
    capture: dict[str, Any] | None,
    sync: dict[str, Any] | None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The part of the status; who does not run says nothing."""
    if config.identity.mode is IdentityMode.OFF:
        return {"mode": config.identity.mode}
    by_capture, by_sync = capture or {}, sync or {}
    return {
        "mode": config.identity.mode,
        "tls_until": by_sync.get("tls_until"),
        **{name: by_capture.get(name) for name in _BY_CAPTURE},
        "trouble": wrong_clock(now) or by_sync.get("identity_trouble"),
    }


def wrong_clock(now: datetime | None = None) -> str | None:
    """What is to be said of a clock that is certainly wrong; None of any other."""
    found = now or datetime.now(UTC)
    if found >= BUILT:
        return None
    return f"the clock says {found:%Y-%m-%d}, which is past: no certificate can be judged by it"


def words(identity: dict[str, Any], silent: Sequence[str] = ()) -> str:
    """The same, for a terminal.

    Args:
        identity: that part of the status.
        silent: which of capture and sync do not answer: of theirs nothing is known.
    """
    if identity["mode"] == IdentityMode.OFF:
        return "off: anybody may say that they are this device; for the bench only"
    known = {"TLS": "tls_until", "evidence": "evidence_until", "serve": "serve_until"}
    ends = [
        f"{what} until {identity[name][:10]}" for what, name in known.items() if identity.get(name)
    ]
    told = f"certificates: {', '.join(ends)}" if ends else "no certificate known"
    unknown = [f"{_TOLD_BY[name]} is not known while {name} does not answer" for name in silent]
    known_first = told if ends or not silent else None
    return "; ".join(filter(None, [known_first, *unknown, identity["trouble"]]))
