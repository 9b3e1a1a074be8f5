"""The fleet's pages of dispatch, over real HTTPS and from real reports."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.record import signing
from agent.status import header
from agent.status.troubles import TROUBLE_TEXTS, Trouble
from doorstep_backend import keys
from doorstep_backend.identity.closings import EndKind
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.known import DeviceState
from doorstep_backend.identity.register import Register
from doorstep_backend.office.demo import ALLOWED, LEFT_DOOR
from doorstep_backend.pages import fleet_list
from doorstep_backend.pages.fleet_words import sentence
from doorstep_backend.reports.read import StatusReport, read
from doorstep_backend.reports.store import Reports
from doorstep_backend.reports.troubles import NEEDS, Noticed, trouble_text
from doorstep_backend.wire.rescued import Rescues
from doorstep_backend.wire.store import Upload
from tests.backend.issuing import Issuer
from tests.backend.pages.fleet_samples import (
    BENCH,
    HOUR,
    NO_CERTIFICATE,
    ON_THE_ROAD,
    REFUSED,
    REVOKED,
    WELL,
    settle,
)
from tests.backend.reports.samples import document, report, waits
from tests.support.demo_office import NOON
from tests.support.live_pages import ANA, Live, live_pages

IN_ORDER = f"""
3 devices of 6 need a person.
Also, on 1 device something waits and goes on by itself,
the oldest since 1 December 2026, 10:00 UTC.
Needs a person
{NO_CERTIFICATE} The TLS certificate is unusable, has ended, or one end does not accept the other's.
On the device: doorstep doctor says which, and how to get another.
3 records wait since 1 December 2026, 09:00 UTC, because of this.
{REFUSED} The backend has refused records, with its signature.
{REVOKED} The office shut it out: it sends nothing, and what it has waits on it.
In the office: Let it in again (devices add), or take it out of the fleet (devices gone).
2 records wait since 1 December 2026, 07:00 UTC.
Last contact 1 December 2026, 11:00 UTC. Quiet: yes. Agent 2026.12.0.
Waits, and goes on by itself
{ON_THE_ROAD} 7 records wait since 1 December 2026, 10:00 UTC: there is no network,
Nothing waits
{BENCH} Bench mode Simulated
{WELL}
"""

HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Run a backend with a device of each kind; tests may add devices, and change none of these."""
    folder = tmp_path_factory.mktemp("fleet")
    with live_pages(folder) as live:
        settle(folder)
        yield live


def seen(live: Live, path: str = "") -> str:
    """Return the text of a page without its markup and its form."""
    answer = live.browser(ANA).get(f"/fleet{path}")
    assert answer.status_code == 200
    main = answer.text.partition("<main>")[2].partition("</main>")[0]
    main = re.sub(r"(?s)<details.*</details>", "", main)
    plain = re.sub(r"</?(code|b|span|a|time)\b[^>]*>", "", main).replace("\N{NO-BREAK SPACE}", " ")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "\n", plain).replace("&#39;", "'"))


def say(live: Live, device_id: str, **said: Any) -> str:
    """Let one more device in that says so; returns what its own page says."""
    Register(live.demo_office.folder).let_in(device_id)
    found = read(header.encoded(document(NOON, device_id, **said)), device_id, NOON)
    assert isinstance(found, StatusReport), found
    Reports(live.demo_office.folder).note(found)
    return seen(live, f"/{device_id}")


def test_first_who_needs_a_person_what_and_where_then_what_waits_since_when(live: Live) -> None:
    settle(live.demo_office.folder)
    page = seen(live)
    dispatch = live.browser(ANA).get("/dispatch").text

    assert "<b>3 devices</b> of 6 need a person." in dispatch
    assert 'href="/pages/fleet"' in dispatch
    place = 0
    for words in IN_ORDER.strip().splitlines():
        place = page.find(words, place)
        assert place >= 0, f"{words!r} is not there, or not in order, in {page}"


def test_a_page_for_each_device_says_the_whole_of_it(fleet: Live) -> None:
    well, refused, bench = (seen(fleet, f"/{one}") for one in (WELL, REFUSED, BENCH))

    assert "What a person must do Nothing. What waits Nothing." in well
    for words in (
        "State let in",
        "Last contact 1 December 2026, 11:00 UTC",
        "TLS certificate until 1 December 2027",
        "Evidence certificate valid, without end",
        "Quiet yes",
        "Manifest version 17, until 1 December 2026, 12:00 UTC",
        "Certificate of its server until 1 December 2027",
        "Last doctor 1 December 2026, 11:00 UTC, found nothing",
        "Agent 2026.12.0",
        "Disk about 20000 MB free, 500 MB kept in reserve",
        "Energy at least 4 Wh since unplugged, 6 hours or more left, 1.35 W in the last whole",
    ):
        assert words in well
    assert "Alarm 6f1f REFUSED: unknown_key" in refused
    assert "Bench mode is on: presses come through the socket" in bench
    assert "Manifest off" in bench
    assert "TLS certificate none that is valid" in seen(fleet, f"/{REVOKED}")


def test_a_battery_that_ends_soon_is_seen_in_the_list(fleet: Live) -> None:
    for hours in (1, 2):
        capture = document(NOON)["capture"] | {"hours_left": hours}
        say(fleet, f"van-left-{hours}", capture=capture)

    assert re.search(r"van-left-1\s+Under 2 hours left", seen(fleet, "?text=van-left-1"))
    assert "hours left" not in seen(fleet, "?text=van-left-2")


@pytest.mark.parametrize("need", [one for one in Trouble if one in NEEDS])
def test_each_need_has_its_sentence_and_remedy_in_the_list_and_on_the_devices_page(
    fleet: Live, need: Trouble
) -> None:
    own = say(fleet, f"van-{need}", needs=[need])

    listed = seen(fleet, f"?show={need}&text=van-{need}")

    for words in (sentence(TROUBLE_TEXTS[need].what), sentence(TROUBLE_TEXTS[need].remedy)):
        plain = re.sub(r"</?code>", "", str(words)).replace("&#39;", "'")
        assert plain in own
        assert plain in listed


def test_page_says_how_late_an_opt_out_reaches_a_device_that_sends_in_batches(
    fleet: Live,
) -> None:
    sync = document(NOON)["sync"]
    own = say(fleet, "batches", sync=sync | {"batch_minutes": 15})
    say(fleet, "at-once", sync=sync | {"batch_minutes": 0})

    assert "sends every 15 minutes" in own
    words = "It sends in batches: an opt-out may take 15 minutes longer."
    assert words in seen(fleet, "?text=batches")
    assert "batches" not in seen(fleet, "?text=at-once").replace("?text=at-once", "")


def test_record_sent_with_the_report_does_not_count_as_waiting(fleet: Live) -> None:
    own = say(fleet, "just-sent", queue=waits(1, NOON, why=Trouble.NEXT))

    assert "What waits Nothing." in own


@pytest.mark.parametrize("why", [why for why in Trouble if why is not Trouble.NEXT])
def test_each_reason_why_something_waits_has_its_sentence(fleet: Live, why: Trouble) -> None:
    own = say(fleet, f"waits-{why}", queue=waits(1, NOON - 26 * HOUR, why=why))

    what = re.sub("`", "", TROUBLE_TEXTS[why].what)
    assert f"1 record waits since 30 November 2026, 10:00 UTC: {what}." in own


def test_page_adds_the_troubles_that_the_backend_noticed(live: Live) -> None:
    folder = live.demo_office.folder
    register, reports = Register(folder), Reports(folder)
    for device_id in ("never", "silent", "unreadable", "gone"):
        register.let_in(device_id)
    register.shut_out("gone", DeviceState.GONE)
    reports.note(report("silent", NOON - timedelta(days=2), needs=["full"]))
    reports.note(report("unreadable", NOON))
    reports.note(report("gone", NOON, needs=["full"]))
    live.reports.note_unreadable("unreadable", "it is not JSON; was it cut?")

    page = seen(live)
    unreadable, gone = seen(live, "/unreadable"), seen(live, "/gone")

    assert "3 devices of 3 need a person." in page
    for device_id, known in (
        ("never", Noticed.NEVER_REPORTED),
        ("unreadable", Noticed.UNREADABLE),
        ("Also:", Noticed.SILENT),
    ):
        assert f"{device_id} {sentence(trouble_text(known).what)}" in page
    assert "silent The card is full: presses are refused." in page
    assert "Why it cannot be read: It is not JSON; was it cut?" in unreadable
    assert "State gone for good" in gone
    assert "What a person must do Nothing." in gone


def test_report_of_a_hostile_device_is_shown_as_text(fleet: Live) -> None:
    """A page escapes every member of a report whose text a device may choose."""
    alarm = {"id": HOSTILE, "state": HOSTILE, "what": HOSTILE}
    said = {
        "agent": HOSTILE,
        "queue": waits(0, refused=1, alarms=[alarm]),
        "identity": {"mode": "required", "trouble": HOSTILE},
        "sync": {"state": HOSTILE, "last_answer": HOSTILE},
        "capture": {"position": HOSTILE, "clock": HOSTILE, "manifest": HOSTILE},
        "doctor": {"utc": "2026-12-01T10:00:00.000Z", "failed": [HOSTILE]},
        "needs": ["refused"],
    }
    say(fleet, "van-666", **said)
    say(fleet, "van-667", queue={"error": HOSTILE}, sync={"error": HOSTILE})

    for path in ("/fleet?text=van-66", "/fleet/van-666", "/fleet/van-667"):
        text = fleet.browser(ANA).get(path).text
        assert "&lt;script&gt;alert(1)" in text
        assert "<script" not in text


def test_need_unknown_to_the_backend_is_shown_by_its_name(fleet: Live) -> None:
    """The device is newer than this backend."""
    queue = waits(2, NOON - HOUR, why="gremlins")
    own = say(fleet, "van-newer", needs=["gremlins", "refused"], queue=queue)

    listed = seen(fleet, "?show=newer")

    assert "2 records wait since 1 December 2026, 11:00 UTC: gremlins." in own
    assert "Needs gremlins" in own
    for page in (own, listed):
        assert "The backend has refused records, with its signature." in page
        assert str(sentence(trouble_text(Noticed.NEWER).what)) in page


def test_words_of_a_search_are_shown_as_text(fleet: Live) -> None:
    text = fleet.browser(ANA).get("/fleet?text=%22%3E%3Cscript%3E&sort=name").text

    assert 'value="&#34;&gt;&lt;script&gt;"' in text
    assert "<script" not in text
    assert "No device is so." in text


def test_a_report_that_says_the_least_has_its_page(fleet: Live) -> None:
    """An agent of another version may leave out members that are optional."""
    least = say(
        fleet,
        "van-least",
        queue=dict.fromkeys(("waiting", "suspected", "refused", "damaged"), 1),
        identity={"mode": "required"},
        disk={"free_mb": None, "reserve_mb": 1},
        capture={},
        sync={},
        doctor=None,
    )
    nothing = say(fleet, "van-nothing", capture=None, sync=None, queue={"error": "no"}, torn=None)

    assert "1 record waits, nobody knows since when." in least
    assert "Quiet not known" in least
    assert "Last doctor never ran" in least
    assert "What waits is not known: no." in nothing
    assert "Capture not running" in nothing


def test_a_list_that_is_longer_than_a_page_links_to_the_next_one(
    fleet: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link keeps the words of the search."""
    monkeypatch.setattr(fleet_list, "PAGE_LENGTH", 2)
    dispatch, names = fleet.browser(ANA), list[str]()
    path = "/fleet?text=VAN-00&sort=name"
    for number in (1, 2, 3):
        page = dispatch.get(path).text
        names += re.findall(r'<h3><a href="/pages/fleet/([^"]+)"', page)
        links = re.findall(r'href="/pages([^"]+)">Next<', page)
        assert len(links) == (number < 3)
        path = links[0].replace("&amp;", "&") if links else ""

    assert names == [WELL, NO_CERTIFICATE, REVOKED, REFUSED, ON_THE_ROAD]
    assert 'href="/pages/fleet?show=refused"' in dispatch.get("/fleet").text


@pytest.mark.parametrize("query", ["show=x", "sort=x", "page=0", "page=x", "text=%ff"])
def test_a_question_that_no_page_of_ours_asks_is_answered_400(fleet: Live, query: str) -> None:
    answer = fleet.browser(ANA).get(f"/fleet?{query}")

    assert answer.status_code == 400
    assert "Not possible" in answer.text


def test_times_are_told_to_the_hour_and_places_not_at_all(fleet: Live) -> None:
    told = document(NOON.replace(minute=37), "van-late", lat_deg=52.5163, stop="s-7f3a")
    told["capture"]["code"] = "DSTEP1001"
    said = read(header.encoded(told), "van-late", NOON.replace(minute=41))
    Register(fleet.demo_office.folder).let_in("van-late")
    assert isinstance(said, StatusReport)
    Reports(fleet.demo_office.folder).note(said)

    for path in ("?text=van-late", "/van-late"):
        page = seen(fleet, path)
        assert set(re.findall(r"\d\d:(\d\d)", page)) == {"00"}
        assert not any(word in page for word in ("52.5", "s-7f3a", "DSTEP"))


def test_fleet_pages_do_not_exist_without_identity(tmp_path: Path) -> None:
    with live_pages(tmp_path, identity=False) as live:
        dispatch = live.browser(ANA)

        assert dispatch.get("/fleet").status_code == 404
        assert "/fleet" not in dispatch.get("/dispatch").text


def test_page_of_an_ended_device_names_its_end_and_its_rescues(live: Live) -> None:
    van, office, register = (
        live.demo_office.van,
        live.demo_office.office,
        Register(live.demo_office.folder),
    )
    register.let_in(van.device_id)
    live.demo_office.receive(live.demo_office.photo(ALLOWED))
    van.seq += 2
    live.demo_office.receive(live.demo_office.photo(LEFT_DOOR))
    DeviceEnding(register, office).now(van.device_id, EndKind.RETIRED, "ada", NOON)
    late = live.demo_office.receive(live.demo_office.stray())
    Rescues(office.store).mark(late, "<b>ada</b>")
    office.store.own(Upload(late, 0, "", ""), van.device_id)

    page, dispatch = seen(live, f"/{van.device_id}"), live.browser(ANA)
    lists = [dispatch.get(path).text for path in ("/dispatch", f"/dispatch/{late}")]

    assert "Ended retired since 2026-12-01 12:00 UTC, by ada" in page
    chain = f"chain {van.chain}, seq 5; 2 missing below; closed at seq 4; 1 came since"
    assert f"Records last record seen: {chain}" in page
    assert "Rescued 1 record by &lt;b&gt;ada&lt;/b&gt;, the last on 1 December 2026" in page
    for text in lists:
        assert "Rescued by &lt;b&gt;ada&lt;/b&gt;" in text


def test_dispatch_reads_that_a_card_was_perhaps_copied_and_a_key_is_not_trusted(
    live: Live,
) -> None:
    """Dispatch reads that a photo by such a key came, and does not see it."""
    issuer = Issuer(live.demo_office.folder, keys.certificates(live.demo_office.folder / "ca"))
    issuer.register.let_in("van-7")
    first, second = issuer.renew(), issuer.renew()
    issuer.register.note_first_use(second, NOON)
    issuer.register.note_clone(first, NOON)
    forged = live.demo_office.receive(live.demo_office.stray())
    kid = signing.thumbprint(live.demo_office.van.key.public_key())
    dispatch = live.browser(ANA)
    assert forged in dispatch.get("/dispatch").text

    live.demo_office.office.revoked_keys.add(kid, "van-7", NOON - timedelta(days=1))

    page = dispatch.get("/dispatch").text
    assert "<b>1 device</b> of 1 needs a person." in page
    (clone,) = re.findall(r"(?s)<article.*?</article>", dispatch.get("/fleet?show=clone").text)
    assert "its card was perhaps copied" in clone
    assert "A photo of device van-7, order" not in page
    assert "A photo of device van-7: its key was not trusted any more when it came." in page
    assert forged not in page
    assert dispatch.get(f"/dispatch/{forged}").status_code == 404
