"""What each device asks once a minute of an instance: its manifest, with a report of itself."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Final

from agent.status import header
from tests.backend.engines.chosen import objects_of
from tests.backend.identity.register import Register
from tests.backend.office.model import open_office
from tests.backend.reports.samples import document, waits
from tests.backend.wire.store import Store
from tests.bench.figures import Figure
from tests.bench.route import STOPS, number, send_out
from tests.peak.servers import Servers
from tests.support.enrolment import enrolled_by
from tests.support.wire import Wire, speaking_to

VAN: Final = "bench-minutely"


def measure(servers: Servers, times: int) -> Iterator[Figure]:
    """By one device, whose connection stays open, as nginx keeps it for 75 s."""
    office = open_office(Store(servers.data, objects_of(servers.data, None)))
    send_out(office, VAN)

    token = Register(servers.data).let_in(VAN)
    van = enrolled_by(servers, token, servers.data.parent, VAN)
    with speaking_to(servers.base_url, servers.ca_file, van.files) as device:
        asker = Asker(device)
        asker.ask(200)

        def of_another_content() -> None:
            """One row is another, as a record's filing leaves it."""
            flip = "UPDATE orders SET done = NOT done WHERE number = ?"
            office.ledger.execute(flip, (number(1),))
            asker.ask(200)

        yield from _processor(servers, "as before", times, lambda: asker.ask(304))
        yield from _processor(servers, "changed", times, of_another_content)


class Asker:
    """A device with a manifest; each of its reports says something new, so that each is written."""

    def __init__(self, device: Wire) -> None:
        self._device = device
        self._tag = ""
        self._waiting = count()

    def ask(self, status: int) -> None:
        """Raises AssertionError for another answer."""
        said = document(datetime.now(UTC), VAN, queue=waits(next(self._waiting)))
        headers = {header.NAME: header.encoded(said), "If-None-Match": self._tag}
        url = f"{self._device.base_url}/manifest"
        answer = self._device.session.get(url, headers=headers, timeout=10)
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        self._tag = answer.headers["ETag"]


def _processor(
    servers: Servers, how: str, times: int, ask: Callable[[], object]
) -> Iterator[Figure]:
    before_s, before_bytes = servers.used_s(), servers.wal_bytes()
    for _ in range(times):
        ask()
    note = f"{STOPS} stops; with a report that says something new"
    for name, used_s in servers.used_s().items():
        if name != "S3":
            what = f"  GET /manifest, {how}: {name}"
            yield Figure(what, "ms", [(used_s - before_s[name]) / times * 1e3], note=note)
            note = ""
    wal_kb = (servers.wal_bytes() - before_bytes) / times / 1e3
    yield Figure(f"  GET /manifest, {how}: PostgreSQL's log", "KB", [wal_kb])
