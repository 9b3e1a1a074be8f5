"""Queries of a filled database find rows by an index: PostgreSQL itself says how it looked."""

import re
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from doorstep_backend.engines.opening import PER_FOLDER, URL
from doorstep_backend.engines.postgres import close_pools
from tests.bench import records, row_count
from tests.bench.route import number
from tests.bench.row_count import QUESTIONS, Site
from tests.support.backend import Backend
from tests.support.filed import await_filed
from tests.support.postgres import Postgres

GROW: Final = {table.partition(" ")[0] for table in records.tables(1, datetime.now(UTC))}
"""Tables with a row for each record, order, route or look."""

RECORDS: Final = 200
DEVICES: Final = 20

EXPLAINS: Final = {
    "shared_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "enable_seqscan": "off",
    "jit": "off",
}
"""Each plan into the server's log, which reads a table from end to end only where no index serves.

Source: PostgreSQL's manual, F.4 and 20.7.1.
"""


def read_whole(log: str) -> dict[str, str]:
    """Tables that grow and were read from end to end, each with the question."""
    entries = re.split(r"\n(?=\S)", log)
    found = ((re.findall(r"Seq Scan on (\w+)", one), one) for one in entries)
    return {table: one for tables, one in found for table in tables if table in GROW}


@pytest.mark.slow
def test_no_question_reads_a_table_that_grows_from_end_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PER_FOLDER, raising=False)
    monkeypatch.setattr(records, "DEVICES", DEVICES)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="doorstep-rows-")))
        folder.chmod(0o755)
        server = Postgres(folder / "own", fsync=False).make().start(**EXPLAINS)
        opened.callback(server.stop)
        opened.callback(close_pools)
        monkeypatch.setenv(URL, server.url)
        data, log = folder / "backend", folder / "own.log"
        backend = Backend(data, switches=True, identity=True)
        opened.callback(backend.kill)
        backend.start()
        row_count.fill(data, RECORDS)
        begins = log.stat().st_size
        site = row_count.asked_by(backend, data, opened)
        site.intake(1)
        await_filed(data)
        for ask in QUESTIONS.values():
            ask(site)
        _look_around(site, backend, folder)

        said = log.read_text()[begins:]

    assert "Index Scan using captures_pkey" in said
    assert read_whole(said) == {}


def _look_around(site: Site, backend: Backend, folder: Path) -> None:
    """Ask what is not asked every day."""
    site.metrics()
    pages = f"{backend.base_url}/pages"
    row_count.got(site.customer, f"{pages}/orders")
    _report(site, pages)
    for asked in ("photos", f"photos?order={number(1)}", f"photos?device={row_count.DEVICE_ID}"):
        row_count.got(site.dispatch, f"{pages}/dispatch/{asked}")
    backend.command("expire")
    backend.command("hold", number(1), "CASE-7")
    backend.command("export-evidence", site.sent, "--out", str(folder / "evidence"))
    backend.command("export-order", number(1), str(folder / "order.zip"))
    backend.command("export-device", row_count.DEVICE_ID, str(folder / "van.zip"))
    backend.command("devices", "revoke", row_count.DEVICE_ID, "--evidence", "2026-01-01T00:00:00Z")
    site.dispatchs_page()  # with what came of that key
    backend.command("devices", "gone", row_count.DEVICE_ID)


def _report(site: Site, pages: str) -> None:
    """Report the photo of an order, and open the case."""
    order = row_count.got(site.customer, f"{pages}/orders/{number(1)}").text
    (asks, *_) = re.findall(r'href="/pages(/orders/[^"]*not_my_door)"', order)
    page = row_count.got(site.customer, pages + asks.replace("&amp;", "&")).text
    form = dict(re.findall('name="([^"]+)" value="([^"]*)"', page))
    assert site.customer.post(f"{pages}/orders/{number(1)}/report", form).ok
    (case, *_) = re.findall(
        r'href="/pages(/dispatch/cases/[^"]+)"',
        row_count.got(site.dispatch, f"{pages}/dispatch/cases").text,
    )
    row_count.got(site.dispatch, pages + case)
