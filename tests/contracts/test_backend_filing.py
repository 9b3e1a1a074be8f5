"""Filing leaves the path of the receipt, and a process that dies in the middle of it."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from agent.models import CaptureId
from doorstep_backend.engines.opening import open_database
from doorstep_backend.engines.sql import Database
from doorstep_backend.office import demo
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.wire.store import Store
from tests.support.backend import Backend
from tests.support.demo_office import photo_of
from tests.support.engines import only_sqlite
from tests.support.factory import RecordMaker
from tests.support.filed import await_filed
from tests.support.waiting import until
from tests.support.wire import speaking_to


@pytest.fixture
def office(alone: Backend) -> Office:
    """Beside it, as a command has it."""
    made = open_office(Store(alone.data), show_simulated=True)
    demo.settle(made)
    demo.send_out(made, "van-7", datetime.now(UTC))
    return made


def send(backend: Backend, office: Office, van: RecordMaker) -> CaptureId:
    """A photo of an order; it has its receipt."""
    made = photo_of(office, van, demo.ALLOWED, simulated=True)
    capture_id = made.label.capture_id
    with speaking_to(backend.base_url, backend.ca_file) as wire:
        answer = wire.post(capture_id, made.content, made.content)
    assert "Doorstep-Receipt" in answer.headers
    return capture_id


def shown(office: Office) -> list[str]:
    return [photo.capture_id for photo in office.filing.photos_of(demo.ALLOWED)]


def is_done(office: Office) -> bool:
    return office.orders.find(demo.ALLOWED).done


def tries(db: Database) -> int:
    """Return how often a worker took it; 0 if nothing waits."""
    row = db.execute("SELECT tries FROM unfiled").fetchone()
    return 0 if row is None else int(row[0])


def test_a_photo_is_on_its_page_at_once(alone: Backend, office: Office) -> None:
    """Twice: the second comes while nothing has been filed for a moment."""
    van, sent = RecordMaker("van-7"), list[str]()
    for _ in range(2):
        sent.append(send(alone, office, van))

        until(lambda: sorted(shown(office)) == sorted(sent), within_s=5)


@pytest.mark.parametrize(
    "dies", ["before it is filed", pytest.param("before it is told so", marks=only_sqlite)]
)
def test_instance_that_dies_in_the_middle_of_filing_files_it_once(
    alone: Backend, office: Office, dies: str
) -> None:
    """The receipt is given although the office's rows cannot be written meanwhile."""
    db = open_database(alone.data, "backend")
    with ExitStack() as locked:
        with office.ledger.exclusive_transaction("van-7"):
            capture_id = send(alone, office, RecordMaker("van-7"))
            until(lambda: tries(db) == 1)
            if dies == "before it is filed":
                alone.kill()
            else:
                locked.enter_context(db.exclusive_transaction())
        until(lambda: shown(office) == ([] if dies == "before it is filed" else [capture_id]))
        alone.kill()
    assert tries(db) == 1

    alone.start()

    await_filed(alone.data)
    assert shown(office) == [capture_id]
    assert is_done(office)
