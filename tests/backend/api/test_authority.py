"""Admission to the API: by a token that permits the request, and by nothing else."""

import json
from datetime import timedelta

import pytest

from doorstep_backend.api.tokens import Scope, Tokens
from doorstep_backend.pages.limits import PER_ADDRESS, WINDOW
from tests.backend.api.systems import ADDRESS, System
from tests.support.demo_office import NOON
from tests.support.live_pages import Live

HOME = "/addresses/home"


def test_request_without_a_token_reads_and_changes_no_data(live: Live) -> None:
    answer = System(live, "").put(HOME, ADDRESS)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="doorstep"'
    assert answer.headers["Content-Type"] == "application/problem+json"
    with pytest.raises(LookupError):
        live.demo_office.office.orders.address("home")


def test_a_token_opens_only_what_its_scope_says(live: Live) -> None:
    answer = System.of(live, [Scope.ROUTES, Scope.OUTCOMES]).put(HOME, ADDRESS)

    assert answer.status_code == 403
    assert 'scope="orders:write"' in answer.headers["WWW-Authenticate"]


def test_a_token_opens_nothing_after_its_end_or_its_revocation(live: Live) -> None:
    for_a_day, erp = System.of(live, days=1), System.of(live)
    assert for_a_day.put(HOME, ADDRESS).status_code == 201

    live.clock.now = NOON + timedelta(days=1)
    Tokens(live.demo_office.office.ledger).revoke("erp-1")

    ended, revoked = for_a_day.put(HOME, ADDRESS), erp.put(HOME, ADDRESS)
    assert (ended.status_code, revoked.status_code) == (401, 401)
    assert "ended on 2026-12-02" in ended.json()["detail"]
    assert 'error="invalid_token"' in revoked.headers["WWW-Authenticate"]


def test_wrong_tokens_are_limited_and_lock_out_no_right_one(live: Live, erp: System) -> None:
    stranger = System(live, "doorstep_" + "a" * 43)
    for _ in range(PER_ADDRESS):
        assert stranger.put(HOME, ADDRESS).status_code == 401

    refused = stranger.put(HOME, ADDRESS)

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == str(WINDOW.seconds)
    assert erp.put(HOME, ADDRESS).status_code == 201
    browser = live.browser()
    browser.get("/sign-in")
    assert browser.send("/sign-in", who="c-1", password="demo-one-heron").status_code == 303


def test_a_body_that_is_no_document_is_refused(erp: System) -> None:
    typed = {"Content-Type": "application/json"}
    for body, headers, status in (
        (b"{", typed, 400),
        (b"[]", typed, 400),
        (b'{"line": "a", "line": "b"}', typed, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b" " * 300_000, typed, 413),
    ):
        answer = erp.ask("PUT", HOME, data=body, headers=headers)

        assert (answer.status_code, answer.json()["status"]) == (status, status)


@pytest.mark.parametrize("written", ["application/json;charset=utf-8", "Application/JSON ; q=1"])
def test_the_type_of_a_body_is_read_as_http_writes_it(erp: System, written: str) -> None:
    body = json.dumps(ADDRESS)

    assert erp.ask("PUT", HOME, data=body, headers={"Content-Type": written}).status_code == 201


@pytest.mark.slow
def test_a_database_that_is_busy_is_a_problem_that_says_when_to_repeat(
    live: Live, erp: System
) -> None:
    assert erp.put(HOME, ADDRESS).status_code == 201
    with live.demo_office.office.ledger.exclusive_transaction():
        answer = erp.put(HOME, ADDRESS | {"line": "changed"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert erp.put(HOME, ADDRESS).status_code == 200


def test_a_missing_address_and_a_wrong_method_are_problems_too(erp: System) -> None:
    missing, wrong = erp.get("/photos"), erp.ask("DELETE", HOME)

    assert (missing.status_code, wrong.status_code) == (404, 405)
    assert wrong.headers["Allow"] == "PUT"
    assert missing.json()["title"] == "Not Found"
    assert wrong.headers["Content-Type"] == "application/problem+json"
