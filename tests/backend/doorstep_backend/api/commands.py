"""Tokens at a terminal: `python -m doorstep_backend --data DIR tokens ...`."""

import argparse
from datetime import datetime, timedelta
from typing import Any, Final

from agent.models import DEVICE_ID
from doorstep_backend.api.tokens import Scope, Token, TokenNameTakenError, Tokens
from doorstep_backend.commandline import add_command, add_group
from doorstep_backend.engines.sql import Database
from doorstep_backend.office.erasure import NotDone

COMMAND: Final = "tokens"

DAYS: Final = 90
"""Life of a token, as of a client's certificate, unless a command says otherwise."""

MOST_DAYS: Final = 3650
"""Longest life of a token: as long as the fleet's CA."""


def add_to(commands: Any) -> None:
    """Add `tokens ...` to the office's own commands."""
    what = add_group(commands, COMMAND, "let other systems use the office's HTTP API")
    add = add_command(
        what, "add", "make a token, and print it this once", "erp --scope orders:write,routes:write"
    )
    add.add_argument("name", metavar="NAME", help="name of the system that gets the token")
    add.add_argument(
        "--scope",
        required=True,
        type=_scopes,
        metavar="SCOPE,...",
        help=f"scopes of the token: {', '.join(Scope)}",
    )
    add.add_argument(
        "--days",
        type=_days,
        default=DAYS,
        metavar="N",
        help=f"days until it ends, 1 to {MOST_DAYS} (default: {DAYS})",
    )
    add_command(what, "list", "list every token, with its scopes and its end")
    revoke = add_command(what, "revoke", "end a token at once", "erp")
    revoke.add_argument("name", metavar="NAME", help="name that `tokens list` shows")


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(one.strip()) for one in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"choose from {', '.join(Scope)}") from None


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 1 <= int(text) <= MOST_DAYS):
        raise argparse.ArgumentTypeError(f"{text[:20]} is not 1 to {MOST_DAYS} days")
    return int(text)


def run(options: argparse.Namespace, ledger: Database, now: datetime) -> str:
    """Run a command; return what to print. Raises NotDone."""
    tokens = Tokens(ledger)
    match options.what:
        case "add":
            return _add(tokens, options, now)
        case "list":
            lines = [_line(one, now) for one in tokens.listed()]
            return "\n".join(lines) or "no token was made yet: `tokens add NAME --scope SCOPE,...`"
        case _:
            try:
                tokens.revoke(options.name)
            except LookupError as error:
                raise NotDone(str(error)) from error
            return f"{options.name}: revoked"


def _add(tokens: Tokens, options: argparse.Namespace, now: datetime) -> str:
    name = options.name
    if not DEVICE_ID.fullmatch(name):
        raise NotDone(f"{name} is not a name of 1 to 63 letters, digits, . _ -")
    try:
        return tokens.add(name, options.scope, now + timedelta(days=options.days))
    except TokenNameTakenError as error:
        raise NotDone(f"{error}; take another name, or `tokens revoke {name}` first") from error


def _line(token: Token, now: datetime) -> str:
    ended = "ended" if token.ends <= now else "until"
    return f"{token.name}: {', '.join(sorted(token.scopes))}; {ended} {token.ends:%Y-%m-%d}"
