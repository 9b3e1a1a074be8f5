"""The order that a customer's page is about."""

from starlette.exceptions import HTTPException

from doorstep_backend.office.access import Customer
from doorstep_backend.office.model import Office
from doorstep_backend.office.orders import NoSuchOrder, Order
from doorstep_backend.pages.auth import NOT_HERE, Visit


def own_order(office: Office, visit: Visit[Customer]) -> Order:
    """Return the order of the path; raise 404 if it is missing or another customer's."""
    try:
        order = office.orders.find(visit.path["number"])
    except NoSuchOrder as error:
        raise HTTPException(404, NOT_HERE) from error
    if order.customer != visit.viewer.customer:
        raise HTTPException(404, NOT_HERE)
    return order
