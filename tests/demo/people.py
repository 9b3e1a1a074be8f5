"""The people who can sign in to the demo's pages, and a few things to try there."""

from collections.abc import Iterator, Sequence
from typing import Final

from doorstep_backend.office import demo
from doorstep_backend.office.model import Office
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.accounts import Account, Accounts
from tests.support.backend import Backend

COLUMNS: Final = "  {:<18}{:<10}{:<21}{}"

HEAD: Final = ("who", "account", "password", "sees")

AFTER_THE_ROUND: Final = (
    "Things to try:",
    "  1. As ana, find the order of a photo by the house number that it shows.",
    "  2. As c-3, look at the photo of order 1006, then switch delivery photos off.",
    "  3. As c-1, show a code for order 1001. As 17, open the order with that code.",
    "  4. As c-1, report a wrong door at order 1001. As ana, move its photo.",
)
"""The possible steps of a viewer of the round's pages."""

WHILE_PLAYING: Final = (
    "Things to try (press a to see the keys again):",
    "  1. Press p here. As c-1, look at order 1001.",
    "  2. Press n until order 1006, then p: two doors are near, so dispatch decides.",
    "  3. There, press s and l: the label is read. Then p.",
    "  4. Press w, p, w: a photo waits until the network is back.",
)
"""Steps for a player; each line fits a terminal of 80 columns."""

WITHOUT_PAGES: Final = (
    "Things to try:",
    "  scripts/demo --serve      sign in to the pages of customers and of dispatch",
    "  scripts/demo --play       press the buttons of a device yourself",
    "  scripts/demo --keep DIR   keep the photos and the records in DIR",
)
"""Commands to try when the demo has ended."""


def let_in(office: Office) -> None:
    """Give each of the demo's people an account."""
    Accounts(office.ledger).add_all(demo.ACCOUNTS)


def address(backend: Backend) -> str:
    """Return where the pages are, in one line."""
    return f"Pages: {backend.base_url}{PREFIX}/ (accept the demo's own certificate)"


def table(office: Office) -> Iterator[str]:
    """Return one line per account, below a heading."""
    yield COLUMNS.format(*HEAD)
    for one in demo.ACCOUNTS:
        who, sees = _described(office, one)
        yield COLUMNS.format(who, one.who, one.password, sees)


def _described(office: Office, account: Account) -> tuple[str, str]:
    match account.role:
        case "customer":
            return "customer", f"orders {_numbers(office, account.who)}"
        case "agent":
            return "customer service", "an order, with its code"
        case _:
            return "dispatch", "photos without order, cases"


def _numbers(office: Office, customer: str) -> str:
    numbers: Sequence[str] = sorted(one.number for one in office.orders.of_customer(customer))
    return ", ".join(numbers)
