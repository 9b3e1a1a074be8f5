"""Two instances over one PostgreSQL and one folder, and the office beside them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import requests  # noqa: TID251 - the test's own side of the wire

from doorstep_backend.engines.opening import URL
from doorstep_backend.office import demo
from doorstep_backend.office.demo import ALLOWED
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.pages.accounts import Accounts
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend
from tests.support.demo_office import photo_of
from tests.support.device import environment
from tests.support.factory import RecordMaker
from tests.support.postgres import running_postgres
from tests.support.wire import speaking_to


@dataclass
class Pair:
    """Both instances, their office, and a device on the demo's route."""

    one: Backend
    two: Backend
    office: Office
    device: RecordMaker = field(default_factory=lambda: RecordMaker("van-7"))

    def send(self, to: Backend) -> requests.Response:
        """Send a photo of an order; return the answer."""
        made = photo_of(self.office, self.device, ALLOWED, simulated=True)
        with speaking_to(to.base_url, to.ca_file) as wire:
            answer: requests.Response = wire.post(made.label.capture_id, made.content, made.content)
        return answer

    def sign_everybody_out(self) -> None:
        """Make the accounts again, and forget failed tries."""
        Accounts(self.office.ledger).add_all(demo.ACCOUNTS)
        self.office.ledger.execute("DELETE FROM sign_in_tries")


@contextmanager
def running_pair(data: Path, **of_the_second: str) -> Iterator[Pair]:
    """Run both; `of_the_second` is what else is in the environment of the second instance."""
    with running_postgres(fsync=False) as server, environment(**{URL: server.url}):
        one, two = (Backend(data, switches=True, show_simulated=True) for _ in range(2))
        try:
            one.start()
            with environment(**of_the_second):
                two.start()
            office = open_office(Store(data), show_simulated=True)
            demo.settle(office)
            demo.send_out(office, "van-7", datetime.now(UTC))
            yield Pair(one, two, office)
        finally:
            for instance in (one, two):
                instance.kill()
