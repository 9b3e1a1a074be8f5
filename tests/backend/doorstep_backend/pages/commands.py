"""Accounts at a terminal: `python -m doorstep_backend --data DIR account ...`."""

import argparse
import sys
from typing import Any, Final

from doorstep_backend.commandline import add_command
from doorstep_backend.engines.sql import Database
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.pages.accounts import ROLES, Account, Accounts

COMMANDS: Final = frozenset({"account", "remove-account"})
"""Commands that `run` carries out."""

SHORTEST_PASSWORD: Final = 8
"""In characters. Source: NIST SP 800-63B, section 5.1.1.1."""


def add_to(commands: Any) -> None:
    """Add `account` and `remove-account` to the subcommands of a parser."""
    account = add_command(
        commands,
        "account",
        "add an account, or change its role and password; read the password from standard input",
        "dispatch anna < password",
    )
    account.add_argument(
        "role", choices=ROLES, metavar="|".join(ROLES), help="role; agent is customer service"
    )
    remove = add_command(commands, "remove-account", "end an account", "anna")
    for command in (account, remove):
        command.add_argument(
            "who",
            metavar="WHO",
            help="id of the customer, number of the agent, or name of the dispatcher",
        )


def run(options: argparse.Namespace, ledger: Database) -> str:
    """Carry out one of COMMANDS; returns what to print. Raises NotDone."""
    accounts, who = Accounts(ledger), options.who
    if options.command == "remove-account":
        if not accounts.remove(who):
            raise NotDone(f"there is no account {who}: nothing was changed")
        return f"account {who}: removed, and signed out everywhere"
    password = sys.stdin.readline().rstrip("\n")
    if any("\ud800" <= one <= "\udfff" for one in password):  # bytes that are no text
        raise NotDone("the password on standard input is not UTF-8: nothing was changed")
    if len(password) < SHORTEST_PASSWORD:
        raise NotDone(
            f"a password is read from standard input and has {SHORTEST_PASSWORD} characters or "
            "more: nothing was changed"
        )
    accounts.add(Account(options.role, who, password))
    return f"account {who}: {options.role}, with a new password, and signed out everywhere"
