"""A customer's pages: their orders, with the photo where there is one, and their own choice."""

from collections.abc import Iterable
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from doorstep_backend.office.access import CODE_VALID, Customer
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import Address, Order
from doorstep_backend.pages import PREFIX, words
from doorstep_backend.pages.auth import CANNOT_READ, NOT_HERE, Auth, Render, Visit
from doorstep_backend.pages.owned import own_order
from doorstep_backend.pages.pictures import Pictures, Shown
from doorstep_backend.pages.reporting import report_section
from doorstep_backend.wire.asking import in_page_thread


class CustomerPages:
    """The pages of one customer alone; every other number is answered as if there were none."""

    def __init__(self, office: Office, pictures: Pictures, render: Render) -> None:
        self._office = office
        self._pictures = pictures
        self._render = render

    def routes(self, auth: Auth) -> list[Route]:
        """Return the routes of these pages."""
        return [
            auth.page("/orders", Customer, self.orders),
            auth.page("/orders/{number}", Customer, self.order),
            auth.page("/orders/{number}/delivery-photos", Customer, self.confirm_for_order),
            auth.action("/orders/{number}/delivery-photos", Customer, self.choose_for_order),
            auth.granting("/orders/{number}/code", Customer, self.code),
            auth.page("/delivery-photos", Customer, self.addresses),
            auth.page("/addresses/{address}/delivery-photos", Customer, self.confirm_for_address),
            auth.action("/addresses/{address}/delivery-photos", Customer, self.choose_for_address),
        ]

    async def orders(self, visit: Visit[Customer]) -> Response:
        """Show the orders, read one by one: each reads its photos, and years have many."""
        who, orders = visit.viewer.customer, self._office.orders
        name = await in_page_thread(orders.customer_name, who)
        shown = [
            (order, *await in_page_thread(self._end_of, visit, order))
            for order in await in_page_thread(orders.of_customer, who)
        ]
        return self._render(
            visit,
            "orders.html",
            orders=shown,
            name=name,
        )

    def order(self, visit: Visit[Customer]) -> Response:
        """Show one order, with its photos and who looked at them. Raise 404 if another's."""
        order = self._own_order(visit)
        views = self._office.access.views_of(order.number)
        delivered, photos = self._end_of(visit, order)
        return self._render(
            visit,
            "order.html",
            order=order,
            delivered=delivered,
            photos=photos,
            looks=[view.for_customer() for view in views if view.viewer != "customer" or view.why],
            section=report_section(self._office, order, visit),
            zone=self._office.zone_of(order.number),
        )

    def _end_of(self, visit: Visit[Customer], order: Order) -> tuple[str, list[Shown]]:
        """Return a sentence about the order's delivery, and its photos."""
        outcome = self._office.filing.outcomes.of(order.number)
        zone = self._office.zone_of(order.number)
        said = words.delivered(order, outcome, zone, visit.language)
        return said, self._pictures.of_order(visit, order.number)

    def confirm_for_order(self, visit: Visit[Customer]) -> Response:
        """Say what an opt-out of this order deletes; redirect to the order if it is out already."""
        order = self._own_order(visit)
        back = f"/orders/{quote(order.number, safe='')}"
        if order.opted_out or order.address_opted_out:
            return RedirectResponse(PREFIX + back, 303)
        return self._confirm(visit, f"{back}/delivery-photos", back, [order], order=order, line="")

    def choose_for_order(self, visit: Visit[Customer]) -> Response:
        """Note for the next manifest whether this order takes delivery photos."""
        order = self._own_order(visit)
        self._office.opt_out_order(order.number, _opts_out(visit))
        return RedirectResponse(f"{PREFIX}/orders/{order.number}", 303)

    def code(self, visit: Visit[Customer]) -> Response:
        """Make a new one-time code for this order; seen on this page and never again."""
        order = self._own_order(visit)
        code = self._office.access.make_one_time_code(order.number, visit.now)
        until = visit.now + CODE_VALID
        zone = self._office.zone_of(order.number)
        return self._render(visit, "code.html", order=order, code=code, until=until, zone=zone)

    def addresses(self, visit: Visit[Customer]) -> Response:
        """Show the addresses and their choices; the line of a confidential order's is left out."""
        addresses = self._office.orders.addresses_of(visit.viewer.customer)
        orders = self._office.orders.of_customer(visit.viewer.customer)
        lines = {one.address: _line(visit, one, orders) for one in addresses}
        return self._render(visit, "addresses.html", addresses=addresses, lines=lines)

    def confirm_for_address(self, visit: Visit[Customer]) -> Response:
        """Say what an opt-out of this address deletes; redirect if it is out already."""
        address, back = self._own_address(visit), "/delivery-photos"
        if address.opted_out:
            return RedirectResponse(PREFIX + back, 303)
        orders = self._office.orders.of_customer(visit.viewer.customer)
        there = [order for order in orders if order.address == address.address]
        action = f"/addresses/{quote(address.address, safe='')}{back}"
        line = _line(visit, address, there)
        return self._confirm(visit, action, back, there, order=None, line=line)

    def choose_for_address(self, visit: Visit[Customer]) -> Response:
        """Note whether this address takes photos, and erase those it has if not."""
        address = self._own_address(visit)
        self._office.opt_out_address(address.address, _opts_out(visit))
        return RedirectResponse(f"{PREFIX}/delivery-photos", 303)

    def _confirm(
        self,
        visit: Visit[Customer],
        action: str,
        back: str,
        orders: Iterable[Order],
        *,
        order: Order | None,
        line: str,
    ) -> Response:
        photos = [
            (photo, self._office.zone_of(photo.number))
            for one in orders
            for photo in self._office.filing.photos_of(one.number)
        ]
        return self._render(
            visit,
            "confirm_opt_out.html",
            action=action,
            back=back,
            fields={"photos": "off"},
            order=order,
            line=line,
            photos=photos,
        )

    def _own_order(self, visit: Visit[Customer]) -> Order:
        return own_order(self._office, visit)

    def _own_address(self, visit: Visit[Customer]) -> Address:
        for address in self._office.orders.addresses_of(visit.viewer.customer):
            if address.address == visit.path["address"]:
                return address
        raise HTTPException(404, NOT_HERE)


def _line(visit: Visit[Customer], address: Address, orders: Iterable[Order]) -> str:
    """Return the address for its customer; that of a confidential order is never shown."""
    is_hidden = any(one.confidential and one.address == address.address for one in orders)
    return visit.language.gettext(words.HIDDEN_ADDRESS) if is_hidden else address.line


def _opts_out(visit: Visit[Customer]) -> bool:
    match visit.form.get("photos"):
        case "off":
            return True
        case "on":
            return False
        case _:
            raise HTTPException(400, CANNOT_READ)
