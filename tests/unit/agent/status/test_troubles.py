"""Each trouble comes of a real cause, and has a sentence, a remedy and a place."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.__main__ import main
from agent.status.troubles import BLOCKED_REASONS, TROUBLE_TEXTS, WAITS_BY_ITSELF, Trouble
from agent.status.words import lines
from tests.contracts.openapi.documents import SERVE
from tests.support.factory import MOMENT
from tests.unit.agent.status.scene import Scene, ago, suspected

Cause = Callable[[Scene], Any]


@dataclass(frozen=True)
class Case:
    """A change of a healthy device, and the trouble that its status then names."""

    name: str
    cause: Cause
    needs: tuple[Trouble, ...] = ()
    why: Trouble | None = None


def says(process: str, **told: Any) -> Cause:
    return lambda scene: scene.say(process, **told)


def stopped(*names: str) -> Cause:
    return lambda scene: scene.said.update(dict.fromkeys(names))


def both(*causes: Cause) -> Cause:
    return lambda scene: [cause(scene) for cause in causes]


def hindered(by: Trouble) -> Cause:
    return both(waits(), says("sync", hindrance=by))


def waits(**label: Any) -> Cause:
    return lambda scene: scene.add(**label)


def suspect(scene: Scene) -> None:
    suspected(scene.outbox, scene.add(), "POST was answered 413")


def refused(scene: Scene) -> None:
    scene.outbox.mark_refused(scene.outbox.get(scene.add()), "a refusal", MOMENT, "unknown_key")


def torn(scene: Scene) -> None:
    (scene.layout.torn / "x.rec").write_bytes(b"torn")


def broken_queue(scene: Scene) -> None:
    scene.close()
    scene.layout.database.write_bytes(b"no database" * 1000)


def full(scene: Scene) -> None:
    scene.configure(state={"reserve_mb": 1_000_000})


def in_1971(scene: Scene) -> None:
    scene.now = datetime(1971, 1, 1, tzinfo=UTC)


def doctor(**found: Any) -> Cause:
    return lambda scene: scene.layout.doctor_file.write_text(json.dumps(found))


def ends(days: float, process: str, name: str) -> Cause:
    return says(process, **{name: ago(days=-days)})


CASES = (
    Case("all is well", waits(), why=Trouble.NEXT),
    Case("nothing waits", lambda _: None),
    # Presses are refused.
    Case("capture stopped", stopped("capture"), (Trouble.CAPTURE_STOPPED,)),
    Case(
        "capture does not answer",
        lambda scene: scene.said.update(capture={"error": "it is stopping", "exit": 75}),
        (Trouble.CAPTURE_STOPPED,),
    ),
    Case("dead card", says("capture", writable=False), (Trouble.DISK,)),
    Case("full card", full, (Trouble.FULL,)),
    Case(
        "full, and stopped", both(full, stopped("capture")), (Trouble.CAPTURE_STOPPED, Trouble.FULL)
    ),
    Case("full, by capture too", both(full, says("capture", writable=False)), (Trouble.FULL,)),
    Case("no fleet document", says("capture", fleet=None), (Trouble.NO_FLEET,)),
    Case("nobody to seal to", says("capture", recipients=0), (Trouble.NO_RECIPIENTS,)),
    Case("not sealed", says("capture", recipients=None)),
    Case(
        "never enrolled: what follows from it is told by it",
        both(
            says("sync", hindrance="not_enrolled"),
            says("capture", fleet=None, no_credentials="no evidence certificate yet"),
        ),
        (Trouble.NOT_ENROLLED,),
    ),
    Case("no manifest at night", says("capture", manifest="none", ready=False)),
    Case("no receiver", says("capture", position="gpsd: refused"), (Trouble.POSITION,)),
    Case("receiver unknown", says("capture", position=None)),
    Case("silent gauge", says("capture", energy="fuel gauge silent"), (Trouble.ENERGY,)),
    Case("energy unknown", says("capture", energy=None)),
    # What happened to records.
    Case("damaged", Scene.damage, (Trouble.DAMAGED,)),
    Case("refused", refused, (Trouble.REFUSED,)),
    Case("suspect", suspect, (Trouble.SUSPECT,), Trouble.SUSPECT),
    Case(
        "suspect without network",
        both(suspect, says("sync", hindrance=Trouble.NO_NETWORK)),
        (Trouble.SUSPECT,),
        Trouble.SUSPECT,
    ),
    Case(
        "suspect, and not let in",
        both(suspect, says("sync", hindrance=Trouble.NOT_LET_IN)),
        (Trouble.NOT_LET_IN, Trouble.SUSPECT),
        Trouble.NOT_LET_IN,
    ),
    Case("the oldest is not the suspect", both(waits(), suspect), (Trouble.SUSPECT,), Trouble.NEXT),
    Case("torn", torn, (Trouble.TORN,)),
    Case("broken queue", broken_queue, (Trouble.QUEUE,)),
    Case(
        "broken queue, and capture stopped",
        both(broken_queue, stopped("capture")),
        (Trouble.CAPTURE_STOPPED,),
    ),
    # Nothing is sent.
    Case("sync stopped", stopped("sync"), (Trouble.SYNC_STOPPED,)),
    Case(
        "sync stopped, records wait",
        both(waits(), stopped("sync")),
        (Trouble.SYNC_STOPPED,),
        Trouble.SYNC_STOPPED,
    ),
    Case(
        "sync stopped by a dead card",
        both(waits(), stopped("sync"), says("capture", writable=False)),
        (Trouble.DISK, Trouble.SYNC_STOPPED),
        Trouble.DISK,
    ),
    Case(
        "sync stopped by a full card",
        both(waits(), stopped("sync"), full),
        (Trouble.FULL, Trouble.SYNC_STOPPED),
        Trouble.FULL,
    ),
    *(
        Case(f"hindered: {one}", hindered(one), (one,), one)
        for one in (
            *(Trouble.NOT_ENROLLED, Trouble.CERTIFICATE),
            *(Trouble.NOT_LET_IN, Trouble.NO_FLEET),
        )
    ),
    *(
        Case(f"hindered: {one}", hindered(one), (), one)
        for one in (Trouble.NO_NETWORK, Trouble.NO_ANSWER, Trouble.BUSY, Trouble.BATCH)
    ),
    Case(
        "certificate, nothing waits", says("sync", hindrance="certificate"), (Trouble.CERTIFICATE,)
    ),
    Case("wrong clock", in_1971, (Trouble.CLOCK,)),
    *(
        Case(f"wrong clock, {one}", both(hindered(one), in_1971), (Trouble.CLOCK,), Trouble.CLOCK)
        for one in (Trouble.CERTIFICATE, Trouble.NO_NETWORK, Trouble.NO_ANSWER)
    ),
    Case(
        "wrong clock, but busy",
        both(hindered(Trouble.BUSY), in_1971),
        (Trouble.CLOCK,),
        Trouble.BUSY,
    ),
    # Documents and certificates.
    Case("fleet refused", says("capture", fleet_refused="old"), (Trouble.FLEET_REFUSED,)),
    Case("manifest refused", says("capture", manifest_refused="old"), (Trouble.MANIFEST_REFUSED,)),
    Case("unsigned", says("capture", no_credentials="failed: x"), (Trouble.CREDENTIALS,)),
    *(
        Case(f"{name} ends in {days} days", ends(days, process, name), (Trouble.CERTIFICATE_ENDS,))
        for process, name in (
            ("sync", "tls_until"),
            ("capture", "evidence_until"),
            ("capture", "serve_until"),
        )
        for days in (29, -1)
    ),
    Case("TLS certificate ends in 31 days", ends(31, "sync", "tls_until")),
    Case("due as a file", says("sync", renewal_due=True), (Trouble.CERTIFICATE_ENDS,)),
    Case("sync says nonsense", says("sync", renewal_due="soon")),
    # It takes long.
    Case("waits for 26 hours", waits(utc=ago(hours=26)), (Trouble.WAITS_LONG,), why=Trouble.NEXT),
    Case("waits for 23 hours", waits(utc=ago(hours=23)), why=Trouble.NEXT),
    Case("undated", waits(utc=ago(days=900), clock="unsynced"), why=Trouble.NEXT),
    Case("doctor found", doctor(utc=ago(hours=1), failed=["disk"]), (Trouble.DOCTOR,)),
    Case("doctor found nothing", doctor(utc=ago(hours=1), failed=[])),
    Case("doctor wrote nonsense", doctor(utc=[1], failed=["disk"])),
)


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES])
def test_a_cause_makes_its_trouble_appear_in_the_document_and_in_words(
    scene: Scene, case: Case
) -> None:
    case.cause(scene)

    made = scene.status()

    words = list(lines(made))
    assert made.needs == case.needs
    assert made.queue.why == case.why
    assert [line[10:] for line in words if line.startswith("WRONG")] == [
        TROUBLE_TEXTS[one].what for one in case.needs
    ]
    for need in case.needs:
        at = words.index(f"WRONG     {TROUBLE_TEXTS[need].what}")
        assert (
            words[at + 1] == f"do        {TROUBLE_TEXTS[need].where}: {TROUBLE_TEXTS[need].remedy}"
        )
    assert any(line.startswith("all well") for line in words) == (not case.needs)
    assert any(line.startswith("why") for line in words) == (case.why is not None)
    if case.why:
        assert any(line.startswith(f"why       {TROUBLE_TEXTS[case.why].what}") for line in words)


BY_ANOTHER_TEST = {Trouble.NO_ACCESS}
"""The trouble needs another user: in test_document.py."""


def test_each_trouble_has_its_case() -> None:
    shown = {trouble for case in CASES for trouble in (*case.needs, case.why)}

    assert shown - {None} | BY_ANOTHER_TEST == set(Trouble)
    assert not {trouble for case in CASES for trouble in case.needs} & WAITS_BY_ITSELF


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"manifest": "none"}, "not ready: no route now, the office gives one"),
        ({"manifest": "none", "fleet": None}, "not ready: no fleet document yet"),
        ({"writable": False}, "not ready: the card cannot be written"),
        ({}, "NOT READY"),
    ],
)
def test_not_ready_has_its_reason_beside_it(
    scene: Scene, told: dict[str, Any], expected: str
) -> None:
    scene.say("capture", ready=False, **told)

    assert f"capture   {expected}, clock gnss, position ok" in lines(scene.status())


def test_full_card_is_why_it_is_not_ready(scene: Scene) -> None:
    full(scene)
    scene.say("capture", ready=False, writable=False)

    assert any("not ready: the card is full," in line for line in lines(scene.status()))


def test_needs_are_told_in_the_order_of_the_list(scene: Scene) -> None:
    causes = refused, Scene.damage, torn, stopped("capture"), says("sync", hindrance="no_fleet")
    for cause in causes:
        cause(scene)

    expected = [Trouble.CAPTURE_STOPPED, Trouble.NO_FLEET, Trouble.DAMAGED, Trouble.REFUSED]
    assert scene.document()["needs"] == [*expected, Trouble.TORN]
    assert expected == sorted(expected, key=list(Trouble).index)


@pytest.mark.parametrize("trouble", list(Trouble))
def test_each_has_a_sentence_a_remedy_and_a_place(trouble: Trouble) -> None:
    told = TROUBLE_TEXTS[trouble]

    assert told.where in {"on the device", "in the office", "in the network"}
    for text in (told.what, told.remedy):
        assert 5 < len(text) <= 92  # one line of a terminal
        assert text == text.strip(" .\n")
        assert text[0].islower() or text[0] in "`G"


@pytest.mark.parametrize("trouble", list(Trouble))
def test_each_command_that_a_remedy_names_is_one(
    trouble: Trouble, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in re.findall(r"`doorstep ([^`]+)`", TROUBLE_TEXTS[trouble].remedy):
        verb, *words = command.split()
        with pytest.raises(SystemExit, match="0"):
            main([verb, "--help"])
        known = capsys.readouterr().out
        assert all(word in known for word in words if word.startswith("--")), command


def test_the_openapi_document_lists_them_all_in_their_order() -> None:
    document = json.loads(SERVE.read_text())
    schemas = document["components"]["schemas"]

    assert schemas["Trouble"]["enum"] == list(Trouble)
    assert set(schemas["Hindrance"]["enum"]) == BLOCKED_REASONS
