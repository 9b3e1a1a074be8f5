"""Another system of the company, which has a token of a running backend."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests  # noqa: TID251 - the other system's side of the wire

from doorstep_backend.api.tokens import Scope, Tokens
from tests.support.demo_office import NOON
from tests.support.live_pages import TIMEOUT_S, Live

ADDRESS: dict[str, Any] = {
    "customer": {"id": "k-9", "name": "Ada Example"},
    "line": "9 Example Street",
    "zone": "Europe/Zurich",
}

ORDER: dict[str, Any] = {
    "address": "home",
    "codes": ["DSTEP2001"],
    "lat_deg": 47.3769,
    "lon_deg": 8.5417,
}


@dataclass
class System:
    """Sends what an order system sends.

    Attributes:
        secret: of its token; empty for a system without one.
    """

    live: Live
    secret: str

    @classmethod
    def of(cls, live: Live, scopes: Iterable[Scope] = Scope, days: int = 30) -> "System":
        tokens, ends = Tokens(live.demo_office.office.ledger), NOON + timedelta(days=days)
        return cls(live, tokens.add(f"erp-{len(tokens.listed())}", tuple(scopes), ends))

    def ask(self, method: str, path: str, **how: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        headers |= how.pop("headers", {})
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                f"{self.live.url}/api{path}",
                headers=headers,
                verify=str(self.live.ca_file),
                timeout=TIMEOUT_S,
                **how,
            )

    def put(self, path: str, document: Any) -> requests.Response:
        return self.ask("PUT", path, json=document)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.ask("GET", path, params=query)

    def put_order(self, number: str, **changes: Any) -> requests.Response:
        """Send ORDER, with its address before it."""
        assert self.put("/addresses/home", ADDRESS).status_code in {200, 201}
        return self.put(f"/orders/{number}", ORDER | changes)


def places(answer: requests.Response) -> list[str]:
    """Return where the faults of a refused document are."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    return [one.get("pointer") or one["parameter"] for one in answer.json()["errors"]]
