"""The round's route for a foreign backend, and the check of the route that it serves."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from agent.config import Config, IdentityMode
from agent.errors import NotGenuine
from agent.record import receipt
from agent.rule import manifest
from agent.rule.manifest import Manifest, RouteStop
from agent.trust.keys import manifest_keys
from agent.wire import tls
from agent.wire.http import Backend, NoAnswer
from doorstep_backend.office.orders import Order
from tests.demo import story
from tests.demo.foreign.device import DEVICE

REMEDY: Final = (
    f"Give {DEVICE} the route of `scripts/demo --manifest`, signed by your key: "
    "`doorstep sign manifest` does that."
)


@dataclass(frozen=True, slots=True)
class Town:
    """The orders of the round.

    Attributes:
        orders: by number.
        manifest: the route with all of them, JSON, not signed.
    """

    orders: Mapping[str, Order]
    manifest: str


def town() -> Town:
    """Make the route as the reference backend does, valid from an hour ago."""
    with TemporaryDirectory(prefix="doorstep-") as folder:
        office = story.demo_office(Path(folder), DEVICE)
        issued = office.routes.manifest(DEVICE, datetime.now(UTC), json.dumps, "")
        assert issued is not None
        orders = {number: office.orders.find(number) for number in office.orders.numbers()}
    return Town(orders, issued.token)


def fetch(config: Config) -> Manifest:
    """Return the route that the backend serves, verified as the device does.

    No process of a device asks for it, so that a fault is printed at once.
    """
    url = f"{config.backend.url.rstrip('/')}/manifest"
    is_off = config.identity.mode is IdentityMode.OFF
    try:
        backend = Backend(config.backend, tls=tls.for_backend(config))
        answer = backend.manifest(None, device_id=DEVICE if is_off else None)
        backend.close()
    except NoAnswer as error:
        sys.exit(f"GET {url}: {error}")
    if answer.status != 200:
        text = answer.body[:200].decode(errors="replace").strip()
        sys.exit(f"GET {url} for {DEVICE}: {answer.status} {text}\n{REMEDY}")
    keys = receipt.public(manifest_keys(config))
    try:
        route = manifest.read(answer.body.decode("ascii"), keys, DEVICE)
    except (NotGenuine, UnicodeDecodeError) as error:
        sys.exit(f"GET {url} for {DEVICE}: the device refuses this manifest: {error}\n{REMEDY}")
    if not route.begins <= datetime.now(UTC) < route.ends:
        sys.exit(f"GET {url}: valid from {route.begins} until {route.ends}, and not now\n{REMEDY}")
    return route


def stop_ids(route: Manifest, orders: Mapping[str, Order]) -> dict[str, str]:
    """Return the order's number by the id of each stop of the round."""
    if wrong := list(_wrong(route, orders)):
        sys.exit(
            "\n".join(["the route differs from that of `scripts/demo --manifest`:", *wrong, REMEDY])
        )
    stops = _by_codes(route)
    return {stops[frozenset(order.codes)].id: order.number for order in orders.values()}


def _wrong(route: Manifest, orders: Mapping[str, Order]) -> Iterator[str]:
    """Yield the differences; the backend chooses the ids of stops, and which are done."""
    stops = _by_codes(route)
    for order in orders.values():
        code, stop = order.codes[0], stops.get(frozenset(order.codes))
        if stop is None:
            yield f"  no stop has the codes {', '.join(order.codes)} (and no others)"
        elif (stop.lat_deg, stop.lon_deg) != (order.lat_deg, order.lon_deg):
            yield f"  the stop of {code} is at {stop.lat_deg}, {stop.lon_deg}"
        elif (stop.radius_m, stop.photo) != (order.radius_m, order.photo):
            yield f"  the stop of {code}: radius_m {stop.radius_m}, photo {stop.photo}"
    if story.PRACTICE not in route.practice_codes:
        yield f"  practice_codes lacks {story.PRACTICE}"


def _by_codes(route: Manifest) -> dict[frozenset[str], RouteStop]:
    return {frozenset(stop.codes): stop for stop in route.stops}
