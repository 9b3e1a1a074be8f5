"""Dispatch's table of waiting photos, over real HTTPS: its choices are in the address."""

import re
from html import escape, unescape

import pytest

from agent.models import BoundBy
from doorstep_backend.office.access import Dispatch
from doorstep_backend.office.demo import LEFT_DOOR
from doorstep_backend.pages import words
from tests.backend.office.test_waiting import NO_STOP
from tests.support.factory import RecordMaker
from tests.support.live_pages import Live

CHOSEN = "?why=several&sort=latest"


@pytest.fixture
def three(live: Live) -> list[str]:
    """Let two photos wait for the same reason, and one of another device for another reason."""
    demo_office = live.demo_office
    two = [
        demo_office.receive(demo_office.stray(), f"2026-12-01T{hour}:00:00.000Z")
        for hour in ("09", "10")
    ]
    demo_office.van = RecordMaker("van-1")
    return [*two, demo_office.receive(demo_office.photo("1001", **NO_STOP))]


def listed(live: Live, path: str) -> list[str]:
    """Return the ids of the photos in the table, in its order."""
    text = live.browser(Dispatch("ana")).get(path).text
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r'href="/pages/dispatch/([0-9a-f-]+)', body)


def test_a_choice_is_in_the_address(live: Live, three: list[str]) -> None:
    first, second, other = three

    assert listed(live, "/dispatch") == [first, second, other]
    assert listed(live, "/dispatch?sort=latest") == [other, second, first]
    assert listed(live, "/dispatch?sort=device") == [other, first, second]
    assert listed(live, f"/dispatch{CHOSEN}") == [second, first]
    assert listed(live, "/dispatch?device=van-1") == [other]
    text = live.browser(Dispatch("ana")).get("/dispatch?device=van-404").text
    assert "No such photo waits." in text
    assert 'href="/pages/dispatch">Show all' in text


def test_a_choice_stays_while_photos_are_decided(live: Live, three: list[str]) -> None:
    """The choice is kept from the table to the photo, the question, and the rest of the table."""
    first, second, _ = three
    browser = live.browser(Dispatch("ana"))

    def leads(text: str, to: str) -> str:
        (found,) = {
            unescape(one) for one in re.findall(rf'(?:href|action)="/pages({to}[^"]*)"', text)
        }
        return str(found)

    page = leads(browser.get(f"/dispatch{CHOSEN}").text, f"/dispatch/{second}")
    text = browser.get(page).text
    assert f'href="/pages/dispatch{escape(CHOSEN)}">Dispatch</a>' in text
    question = leads(text, rf"/dispatch/{second}/bind\?number={LEFT_DOOR}")
    action = leads(browser.get(question).text, f"/dispatch/{second}/bind")
    answer = browser.send(action, number=LEFT_DOOR)

    assert answer.headers["Location"] == f"/pages/dispatch{CHOSEN}"
    assert listed(live, f"/dispatch{CHOSEN}") == [first]
    discarded = browser.send(f"/dispatch/{first}/discard{CHOSEN}")
    assert discarded.headers["Location"] == f"/pages/dispatch{CHOSEN}"


def test_an_open_photo_is_marked_in_the_table_beside_it(live: Live, three: list[str]) -> None:
    text = live.browser(Dispatch("ana")).get(f"/dispatch/{three[1]}{CHOSEN}").text

    (row,) = re.findall(r'(?s)<tr aria-current="true">.*?</tr>', text)
    assert three[1] in row
    assert listed(live, f"/dispatch/{three[1]}{CHOSEN}") == [three[1], three[0]]


@pytest.mark.parametrize("query", ["?sort=driver", "?why=x", "?device=..%2F"])
def test_a_choice_that_there_is_not_is_answered_with_400(
    live: Live, three: list[str], query: str
) -> None:
    browser = live.browser(Dispatch("ana"))

    assert browser.get(f"/dispatch{query}").status_code == 400
    assert browser.get(f"/dispatch/{three[0]}{query}").status_code == 400
    assert browser.send(f"/dispatch/{three[0]}/discard{query}").status_code == 400
    assert listed(live, "/dispatch") == three


def test_each_way_of_waiting_can_be_chosen() -> None:
    chosen = {one for _, several in words.WAITS_SHORTLY.values() for one in several}

    assert chosen == {*BoundBy, *words.WAITS}
