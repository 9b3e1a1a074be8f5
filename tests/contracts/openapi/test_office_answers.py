"""Every answer in the office's document is given by the real one, and is as the document says."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import requests  # noqa: TID251 - the test's own side of the wire

from agent.models import rfc3339
from doorstep_backend.identity.register import Register
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.pages.limits import PER_ADDRESS
from doorstep_backend.wire.store import Store
from tests.contracts.openapi.documents import OFFICE, Held, allowed, answers, operations
from tests.support.backend import Backend, running_backend
from tests.support.enrolment import enrolled
from tests.support.wire import speaking_to

pytestmark = pytest.mark.slow

DAY: Final = datetime.now(UTC).date() + timedelta(days=1)

EXAMPLES: Final[dict[str, str]] = {
    "/api/addresses/{address}": "/api/addresses/home",
    "/api/orders/{number}": "/api/orders/2001",
    "/api/routes/{device}/{day}": f"/api/routes/van-1/{DAY}",
    "/api/orders/{number}/outcome": f"/api/orders/{demo.ALLOWED}/outcome",
    "/api/outcomes": "/api/outcomes",
}
"""An address of each operation."""

ADDRESS: Final = {"customer": {"id": "k-9", "name": "Ada Example"}, "line": "9 Example Street"}
ORDER: Final = {"address": "home", "codes": ["A"], "lat_deg": 47.4, "lon_deg": 8.5}
NOON: Final = datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC)
ROUTE: Final = {
    "begins": rfc3339(NOON),
    "ends": rfc3339(NOON + timedelta(hours=8)),
    "orders": [demo.ALLOWED],
}


@contextmanager
def running(folder: Path) -> Iterator[tuple[Backend, Office]]:
    """Run a backend with the demo's orders, where van-1 is let in."""
    with running_backend(folder, identity=True, switches=False) as backend:
        office = open_office(Store(backend.data))
        demo.settle(office)
        Register(backend.data).let_in("van-1")
        yield backend, office


@contextmanager
def speaking(backend: Backend, held: Held | None, token: str | None) -> Iterator[requests.Session]:
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        session = wire.session
        if token is not None:
            session.headers["Authorization"] = f"Bearer {token}"
        if held is not None:
            session.hooks["response"].append(held.hold)
        yield session


def token(backend: Backend, *scopes: str) -> str:
    name = f"erp-{len(scopes)}"
    return backend.command("tokens", "add", name, "--scope", ",".join(scopes)).strip()


ALL_SCOPES: Final = ("orders:write", "routes:write", "outcomes:read")


def test_every_answer_in_the_document_is_given(tmp_path: Path) -> None:
    held = Held(OFFICE)
    with running(tmp_path / "backend") as (backend, office):
        office.filing.outcomes.mark_delivered(demo.ALLOWED, "dispatch ana", datetime.now(UTC))
        office.filing.outcomes.mark_delivered(demo.GIFT, "dispatch ana", datetime.now(UTC))
        office.filing.outcomes.take_word_back(demo.GIFT)
        with speaking(backend, held, token(backend, *ALL_SCOPES)) as erp:
            documents(erp, backend.base_url)
            outcomes(erp, backend.base_url)
        with speaking(backend, held, token(backend, "orders:write")) as other:
            not_permitted(other, backend.base_url)
        with speaking(backend, held, token(backend, "routes:write", "outcomes:read")) as other:
            not_permitted(other, backend.base_url)
        for wrong in (None, "doorstep_" + "a" * 43):
            with speaking(backend, held, wrong) as stranger:
                for _ in range(PER_ADDRESS // 5 + 1):
                    not_permitted(stranger, backend.base_url)

    promised = answers(held.document)
    assert promised - held.seen == set(), "in the document, and never given here"


def documents(erp: requests.Session, url: str) -> None:
    """Send each document that is right twice, and then wrong ones."""
    sent: tuple[tuple[str, dict[str, Any]], ...] = (
        (EXAMPLES["/api/addresses/{address}"], ADDRESS),
        (EXAMPLES["/api/orders/{number}"], ORDER),
        (EXAMPLES["/api/routes/{device}/{day}"], ROUTE),
    )
    for path, document in sent:
        for status in (201, 200):
            assert erp.put(url + path, json=document, timeout=10).status_code == status
        erp.put(url + path, json={}, timeout=10)  # 422
        json = {"Content-Type": "application/json"}
        erp.put(url + path, b"[]", headers=json, timeout=10)  # 400
        erp.put(url + path, b" " * 300_000, headers=json, timeout=10)  # 413
        erp.put(url + path, b"{}", timeout=10)  # 415


def outcomes(erp: requests.Session, url: str) -> None:
    erp.get(f"{url}/api/outcomes", timeout=10)
    erp.get(f"{url}/api/outcomes?after=x", timeout=10)  # 422
    for number in (demo.ALLOWED, demo.GIFT, demo.CONFIDENTIAL, "9999"):
        erp.get(f"{url}/api/orders/{number}/outcome", timeout=10)


def not_permitted(session: requests.Session, url: str) -> None:
    """401 without a token, 403 without its scope, 429 after too many wrong ones."""
    for method, path in operations(Held(OFFICE).document):
        session.request(method, url + EXAMPLES[path], json={}, timeout=10)


def test_forbidden_method_is_405_and_a_certificate_opens_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "backend") as (backend, _):
        document, van = Held(OFFICE).document, enrolled(backend, tmp_path, "van-1")
        with speaking_to(backend.base_url, backend.ca_file, van.files) as wire:
            for path in document["paths"]:
                for method in ("TRACE", "DELETE", "POST"):
                    url = backend.base_url + EXAMPLES[path]
                    answer = wire.session.request(method, url, timeout=10)

                    assert answer.status_code == 405
                    assert set(answer.headers["Allow"].split(", ")) == allowed(document, path)
            for method, path in operations(document):
                url = backend.base_url + EXAMPLES[path]
                assert wire.session.request(method, url, json={}, timeout=10).status_code == 401


def test_no_line_of_the_log_has_a_token_or_an_order(tmp_path: Path) -> None:
    with running(tmp_path / "backend") as (backend, _):
        secret = token(backend, *ALL_SCOPES)
        with speaking(backend, None, secret) as erp:
            documents(erp, backend.base_url)
            outcomes(erp, backend.base_url)
        with speaking(backend, None, "doorstep_secret") as stranger:
            not_permitted(stranger, backend.base_url)
        log = (backend.data / "backend.log").read_text()

    put = "event=document_put token=erp-3 path=/orders/{number} result="
    assert (log.count(f"{put}new"), log.count(put)) == (1, 1)
    assert "event=token_refused why=unknown" in log
    for secret_text in (secret, "doorstep_", "2001", "k-9", "Ada", "47.4", "home"):
        assert secret_text not in log
