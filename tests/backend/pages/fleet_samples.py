"""A fleet with a device of each kind."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from agent.models import rfc3339
from agent.status.troubles import Trouble
from doorstep_backend import keys
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.reports.store import Reports
from tests.backend.issuing import Issuer
from tests.backend.reports.samples import document, report, waits
from tests.support.demo_office import NOON

HOUR: Final = timedelta(hours=1)

WELL: Final = "van-0007"
NO_CERTIFICATE: Final = "van-0012"
REVOKED: Final = "van-0023"
REFUSED: Final = "van-0042"
ON_THE_ROAD: Final = "van-0055"
BENCH: Final = "bench-1"

_ANSWER: Final = {"id": "6f1f", "state": "REFUSED", "what": "unknown_key"}

_SAID: Final[dict[str, dict[str, Any]]] = {
    WELL: {},
    NO_CERTIFICATE: {
        "needs": [Trouble.CERTIFICATE],
        "queue": waits(3, NOON - 3 * HOUR, why=Trouble.CERTIFICATE),
    },
    REVOKED: {"queue": waits(2, NOON - 5 * HOUR)},
    REFUSED: {"needs": [Trouble.REFUSED], "queue": waits(0, refused=2, alarms=[_ANSWER])},
    ON_THE_ROAD: {"queue": waits(7, NOON - 2 * HOUR, why=Trouble.NO_NETWORK)},
    BENCH: {
        "bench_mode": True,
        "capture": {"ready": True, "quiet": True, "simulated": True, "manifest": "off"},
        "manifest": "off",
    },
}


def settle(folder: Path) -> None:
    """Let a device of each kind in; each has said how it is within the last hours."""
    issuer, reports = Issuer(folder, keys.certificates(folder / "ca")), Reports(folder)
    for device_id, said in _SAID.items():
        issuer.register.let_in(device_id)
        issuer.renew(device_id=device_id)
        issuer.vouch(device_id=device_id)
        capture = {**document(NOON)["capture"], "quiet": True, "manifest_until": rfc3339(NOON)}
        reports.note(report(device_id, NOON - HOUR, **{"capture": capture, **said}))
    issuer.register.shut_out(REVOKED, DeviceState.REVOKED)
