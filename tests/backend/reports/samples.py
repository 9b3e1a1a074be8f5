"""Status documents as devices make them, for tests and the bench."""

from datetime import UTC, datetime
from typing import Any, Final

from agent.models import rfc3339, to_the_hour
from agent.status import header
from agent.status.troubles import Trouble
from doorstep_backend.reports.read import StatusReport, read

DEVICE: Final = "van-0042"

NOW: Final = datetime(2026, 12, 1, 11, tzinfo=UTC)


def document(utc: datetime, device: str = DEVICE, /, **changes: Any) -> dict[str, Any]:
    """Make the status of a device with which all is well; `changes` replace its members."""
    at = rfc3339(to_the_hour(utc))
    later = at.replace("2026", "2027")
    return {
        "v": 1,
        "device": device,
        "agent": "2026.12.0",
        "utc": rfc3339(utc),
        "identity": {
            "mode": "required",
            **dict.fromkeys(("tls_until", "evidence_until", "serve_until"), later),
            "trouble": None,
        },
        "manifest": "required",
        "bench_mode": False,
        "sealed": True,
        "queue": waits(0),
        "torn": 0,
        "disk": {"free_mb": 20_000, "reserve_mb": 500},
        "clock_wrong": False,
        "capture": {
            "ready": True,
            "writable": True,
            "simulated": False,
            "quiet": False,
            "position": "gpsd",
            "clock": "ntp",
            "fleet": 3,
            "fleet_refused": None,
            "recipients": 2,
            "manifest": 17,
            "manifest_until": at,
            "manifest_refused": None,
            "no_credentials": None,
            "energy": "ok",
            "used_wh": 4,
            "hours_left": 6,
            "mean_w": 1.35,
        },
        "sync": {
            "state": "idle",
            "last_contact": at,
            "last_answer": "POST 201",
            "pause": None,
            "waits_s": 30.0,
            "hindrance": None,
        },
        "doctor": {"utc": at, "failed": []},
        "needs": [],
        **changes,
    }


def waits(waiting: int, since: datetime | None = None, **changes: Any) -> dict[str, Any]:
    """Make the part of the queue."""
    return {
        "waiting": waiting,
        "suspected": 0,
        "refused": 0,
        "damaged": 0,
        "oldest_utc": None if since is None else rfc3339(to_the_hour(since)),
        "oldest_suspect": False,
        "alarms": [],
        "why": Trouble.NO_NETWORK if waiting else None,
        **changes,
    }


def report(device: str = DEVICE, at: datetime = NOW, **changes: Any) -> StatusReport:
    """Make the report of a device at a time."""
    found = read(header.encoded(document(at, device, **changes)), device, at)
    assert isinstance(found, StatusReport)
    return found
