"""The waiting photos that dispatch asks for: which, in which order, and by which index."""

import re
from pathlib import Path

import pytest

from agent.models import BoundBy
from doorstep_backend.office import showing
from doorstep_backend.office.showing import WaitingOrder, WaitingQuery
from tests.support.demo_office import DemoOffice
from tests.support.engines import only_sqlite
from tests.support.factory import RecordMaker

NO_STOP = {"stop": {"id": None, "bound_by": "unassigned"}}


@pytest.fixture
def three(tmp_path: Path) -> DemoOffice:
    """Let three photos wait: the longest, another device's, and another reason's."""
    demo_office = DemoOffice(tmp_path, van=RecordMaker("van-7"))
    demo_office.receive(demo_office.stray(), "2026-12-01T09:00:00.000Z")
    demo_office.receive(demo_office.photo("1001", **NO_STOP), "2026-12-01T11:00:00.000Z")
    demo_office.van = RecordMaker("van-1")
    demo_office.receive(demo_office.stray(), "2026-12-01T10:00:00.000Z")
    return demo_office


def hours(demo_office: DemoOffice, asked: WaitingQuery) -> list[int]:
    """Return at which hour each was received; as many are counted."""
    found = [photo.received_at.hour for photo in demo_office.office.filing.waiting(asked)]
    assert demo_office.office.filing.how_many_wait(asked) == len(found)
    return found


@pytest.mark.parametrize(
    ("order", "received"),
    [
        (WaitingOrder.LONGEST, [9, 10, 11]),
        (WaitingOrder.LATEST, [11, 10, 9]),
        (WaitingOrder.DEVICE, [10, 9, 11]),
    ],
)
def test_photos_that_wait_are_sorted_as_asked(
    three: DemoOffice, order: WaitingOrder, received: list[int]
) -> None:
    assert hours(three, WaitingQuery(order=order)) == received


@pytest.mark.parametrize(
    ("asked", "received"),
    [
        (WaitingQuery(device_id="van-7"), [9, 11]),
        (WaitingQuery(bound_by=(BoundBy.AMBIGUOUS,)), [9, 10]),
        (WaitingQuery(bound_by=(BoundBy.AMBIGUOUS, BoundBy.UNASSIGNED)), [9, 10, 11]),
        (WaitingQuery(bound_by=(BoundBy.UNASSIGNED,), device_id="van-1"), []),
    ],
)
def test_photos_that_wait_are_filtered_as_asked(
    three: DemoOffice, asked: WaitingQuery, received: list[int]
) -> None:
    assert hours(three, asked) == received


@only_sqlite
@pytest.mark.parametrize("order", list(WaitingOrder))
@pytest.mark.parametrize("device_id", ["", "van-7"])
@pytest.mark.parametrize("bound_by", [(), (BoundBy.AMBIGUOUS,)])
def test_no_choice_reads_all_records(
    three: DemoOffice, order: WaitingOrder, device_id: str, bound_by: tuple[str, ...]
) -> None:
    where, values = WaitingQuery(bound_by, device_id).condition()
    query = f"""EXPLAIN QUERY PLAN SELECT c.* FROM captures c WHERE {where}
        ORDER BY {showing._ORDERS[order]} LIMIT 50"""  # noqa: SLF001 - as `waiting` asks

    plan = three.office.ledger.execute(query, {"simulated": False, **values})

    (found,) = [one["detail"] for one in plan if one["detail"].split()[1:2] == ["c"]]
    is_by_device = bool(device_id) or order is WaitingOrder.DEVICE
    by = {(True, True): "_both", (True, False): "_device", (False, True): "_why"}
    index = "captures_waiting" + by.get((is_by_device, bool(bound_by)), "")
    assert re.findall(r"USING INDEX (\w+)", found) == [index]
