"""Dispatch's page of presses without a photo, over real HTTPS."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from agent.models import Reason
from doorstep_backend.office import refusals
from doorstep_backend.office.access import Dispatch
from doorstep_backend.office.remedies import REMEDIES
from doorstep_backend.pages.fleet_words import sentence
from tests.backend.office.test_refusals import refuse
from tests.support.factory import RecordMaker
from tests.support.live_pages import Live, live_pages


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Run a backend with refused presses, most by the device whose name comes last; read only."""
    with live_pages(tmp_path_factory.mktemp("refused")) as live:
        for name, reason, times in (
            ("van-9", Reason.CAMERA_FAULT, 3),
            ("van-9", Reason.NO_POSITION, 1),
            ("van-1", Reason.NO_POSITION, 1),
            ("van-5", Reason.NO_POSITION, 2),
        ):
            van = RecordMaker(name)
            for _ in range(times):
                refuse(live.demo_office, reason, van=van)
        van = RecordMaker("van-5")
        for _ in range(3):
            refuse(live.demo_office, van=van, utc="2026-11-30T09:00:00.000Z")
        yield live


def seen(live: Live, query: str = "") -> str:
    """Return the page's words, as a person reads them."""
    answer = live.browser(Dispatch("ana")).get(f"/refusals{query}")
    assert answer.status_code == 200
    main = answer.text.partition("</form>")[2] if "<select" in answer.text else answer.text
    return " ".join(unescape(re.sub("<[^>]*>", " ", main)).split())


def rows(live: Live, query: str = "") -> list[list[str]]:
    """Return the cells of each row of the table."""
    text = live.browser(Dispatch("ana")).get(f"/refusals{query}").text
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [
        [" ".join(re.sub("<[^>]*>", " ", cell).split()) for cell in row.split("</th>")]
        for row in body.split("</tr>")[:-1]
    ]


POSITION, CAMERA = (
    f"The {REMEDIES[reason].what.removeprefix('the ')}"
    for reason in (Reason.NO_POSITION, Reason.CAMERA_FAULT)
)


def test_rows_come_by_device_and_never_by_number(refused: Live) -> None:
    assert rows(refused) == [
        ["van-1", f"1 {POSITION}"],
        ["van-5", f"2 {POSITION}"],
        ["van-9", f"1 {POSITION} 3 {CAMERA}"],
    ]


def test_a_devices_days_come_latest_first(refused: Live) -> None:
    assert rows(refused, "?device=van-5") == [
        ["1 December 2026", f"2 {POSITION}"],
        ["30 November 2026", f"3 {POSITION}"],
    ]


def test_the_columns_have_nothing_finer_than_a_day(refused: Live) -> None:
    for query in ("", "?device=van-5"):
        text = refused.browser(Dispatch("ana")).get(f"/refusals{query}").text
        heads = re.findall('<th scope="col">([^<]*)</th>', text)

        assert heads == ["Day" if query else "Device", "Presses without a photo"]
        assert "<time" not in text
        assert re.findall(r"\d\d:\d\d", text) == []


def test_each_reason_on_the_page_has_its_remedy_there(refused: Live) -> None:
    text, words = refused.browser(Dispatch("ana")).get("/refusals").text, seen(refused)

    for reason, told in REMEDIES.items():
        is_listed = reason in {Reason.CAMERA_FAULT, Reason.NO_POSITION}
        assert (f'id="{reason}"' in text) == (f'href="#{reason}"' in text) == is_listed
        remedy = " ".join(re.sub("<[^>]*>", " ", str(sentence(told.remedy))).split())
        assert (unescape(remedy) in words) == is_listed


@pytest.mark.parametrize(
    ("query", "devices"),
    [
        ("?reason=camera_fault", ["van-9"]),
        ("?day=2026-11-30", ["van-5"]),
        ("?text=VAN-5", ["van-5"]),
        ("?day=2026-11-29", []),
        ("?device=van-404", []),
    ],
)
def test_a_choice_lists_what_fits(refused: Live, query: str, devices: list[str]) -> None:
    assert [one for one, _ in rows(refused, query)] == devices
    assert devices or "No press" in seen(refused, query) or "No such press" in seen(refused, query)


@pytest.mark.parametrize(
    "query", ["?day=2026-11-24", "?day=x", "?reason=x", "?device=..%2F", "?device=%3Cb%3E"]
)
def test_a_choice_that_there_is_not_is_answered_with_400(refused: Live, query: str) -> None:
    assert refused.browser(Dispatch("ana")).get(f"/refusals{query}").status_code == 400


def test_a_long_list_is_read_part_by_part(refused: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "PAGE_LENGTH", 2)
    browser, read, query = refused.browser(Dispatch("ana")), [], "?text=van"
    while query:
        text = browser.get(f"/refusals{query}").text
        read += [one for one, _ in rows(refused, query)]
        following = re.search(r'rel="next" href="/pages/refusals([^"]*)"', text)
        query = unescape(following[1]) if following else ""

    assert read == ["van-1", "van-5", "van-9"]
