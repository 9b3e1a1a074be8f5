"""Tokens: made, listed and revoked at a terminal, and kept as a digest."""

import argparse
from datetime import timedelta

import pytest

from doorstep_backend.api import commands
from doorstep_backend.api.tokens import Scope, Tokens
from doorstep_backend.office.erasure import NotDone
from tests.support.demo_office import NOON, DemoOffice


def typed(demo_office: DemoOffice, *words: str) -> str:
    """Type a command on tokens, and return its output."""
    parser = argparse.ArgumentParser()
    commands.add_to(parser.add_subparsers(dest="command"))
    return commands.run(parser.parse_args(["tokens", *words]), demo_office.office.ledger, NOON)


def test_a_token_is_shown_once_and_no_row_has_it(demo_office: DemoOffice) -> None:
    ledger = demo_office.office.ledger

    secret = typed(demo_office, "add", "erp", "--scope", "orders:write,outcomes:read")

    found = Tokens(ledger).find(secret)
    assert found is not None
    assert found.name == "erp"
    assert found.scopes == {Scope.ORDERS, Scope.OUTCOMES}
    assert found.ends == NOON + timedelta(days=commands.DAYS)
    assert secret not in str([tuple(row) for row in ledger.execute("SELECT * FROM api_tokens")])
    listed = typed(demo_office, "list")
    assert listed == "erp: orders:write, outcomes:read; until 2027-03-01"
    assert Tokens(ledger).find(f"{secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}") is None


def test_a_revoked_token_opens_nothing_and_its_name_is_free(demo_office: DemoOffice) -> None:
    secret = typed(demo_office, "add", "erp", "--scope", "orders:write", "--days", "1")
    with pytest.raises(NotDone, match="another token has this name"):
        typed(demo_office, "add", "erp", "--scope", "orders:write")

    typed(demo_office, "revoke", "erp")

    assert Tokens(demo_office.office.ledger).find(secret) is None
    assert typed(demo_office, "add", "erp", "--scope", "orders:write") != secret
    with pytest.raises(NotDone, match="no token tms"):
        typed(demo_office, "revoke", "tms")


@pytest.mark.parametrize(
    "words",
    [
        ("add", "erp", "--scope", "photos:read"),
        ("add", "erp", "--scope", ""),
        ("add", "erp", "--scope", "orders:write", "--days", "0"),
        ("add", "erp", "--scope", "orders:write", "--days", "3651"),
    ],
)
def test_a_scope_or_life_that_there_is_not_makes_no_token(
    demo_office: DemoOffice, words: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit):
        typed(demo_office, *words)

    assert typed(demo_office, "list").startswith("no token was made yet")
