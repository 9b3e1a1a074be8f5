"""The fleet document: who may sign what, and what does not change it."""

import itertools
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from agent.errors import NotGenuine
from agent.queue.outbox import Outbox
from agent.record import signing
from agent.record.receipt import verified_receipt
from agent.trust import LINKS_LIMIT, fleet
from tests.support.factory import RecordMaker, add, signed_by_hand
from tests.support.fleet_documents import FleetOffice, entry, kid, signed_fleet
from tests.support.sealed import NAMES, RECIPIENTS
from tests.support.tusscript import receipt

OFFICE: Final = FleetOffice()
PINNED: Final = OFFICE.key.public_key()
OTHER, NEXT, THIRD = (signing.new_key() for _ in range(3))
UNTIL: Final = "2026-12-01T09:15:07Z"
JWK: Final = signing.jwk(OTHER.public_key())


def read(**changes: Any) -> fleet.FleetDocument:
    return fleet.read(OFFICE.document(**changes), [PINNED])


# What it says


def test_keys_in_use_and_retired_ones_are_known_by_their_thumbprints() -> None:
    found = read(receipt_keys=[entry(OTHER), entry(NEXT, UNTIL)], manifest_keys=[entry(THIRD)])

    assert found.version == 1
    assert set(found.receipt_keys) == {kid(OTHER), kid(NEXT)}
    assert found.receipt_keys[kid(OTHER)].until is None
    assert found.receipt_keys[kid(NEXT)].until == datetime(2026, 12, 1, 9, 15, 7, tzinfo=UTC)
    assert set(found.manifest_keys) == {kid(THIRD)}


def test_optional_member_may_be_absent() -> None:
    payload = OFFICE.payload()
    for name in ("revoked", "recipients", "next_fleet_key", "next_ca"):
        del payload[name]
    found = fleet.read(signed_fleet(payload | {"of_later": [1]}, OFFICE.key), [PINNED])

    assert (found.revoked, found.recipients) == (frozenset(), None)
    assert (found.next_fleet_key, found.next_ca) == (None, None)


def test_recipients_next_key_and_next_ca_are_read() -> None:
    found = read(recipients=NAMES, next_fleet_key=JWK, next_ca="-----BEGIN")

    assert found.recipients == RECIPIENTS
    assert found.next_fleet_key is not None
    assert signing.jwk(found.next_fleet_key) == JWK
    assert found.next_ca == "-----BEGIN"


def test_a_revoked_key_counts_for_nothing_whatever_it_dates() -> None:
    """A thief of the key can choose any date."""
    revoked = [{"kid": kid(NEXT), "since": "2030-01-01T00:00:00Z"}]
    keys = [entry(OTHER), entry(NEXT, UNTIL)]
    found = read(receipt_keys=keys, manifest_keys=keys, revoked=revoked)

    assert set(found.receipt_keys) == set(found.manifest_keys) == {kid(OTHER)}
    assert found.revoked == {kid(NEXT)}


@pytest.mark.parametrize(("second", "counts"), [(6, True), (7, False), (8, False)])
def test_a_retired_key_vouches_for_what_it_dated_before_its_end(
    outbox: Outbox, second: int, *, counts: bool
) -> None:
    """A device that slept for months can thus still prune."""
    keys = read(receipt_keys=[entry(OTHER), entry(NEXT, UNTIL)]).receipt_keys
    made = add(outbox, RecordMaker().make())
    item = outbox.get(made.label.capture_id)
    at = f"2026-12-01T09:15:0{second}Z"
    token = receipt(NEXT, item.capture_id, made.content, received_at=at)

    if counts:
        assert verified_receipt(token, item, keys).token == token
    else:
        with pytest.raises(NotGenuine, match="retired on 2026-12-01, and dated later"):
            verified_receipt(token, item, keys)


# What is refused whole


MALFORMED: Final[list[tuple[dict[str, Any], str]]] = [
    ({"v": 2}, "another format"),
    ({"v": True}, "another format"),
    ({"v": "1"}, "another format"),
    ({"version": 0}, "version"),
    ({"version": 2**53}, "version"),
    ({"version": True}, "version"),
    ({"version": 1.0}, "version"),
    ({"version": None}, "version"),
    ({"receipt_keys": []}, "receipt_keys"),
    ({"receipt_keys": None}, "receipt_keys"),
    ({"receipt_keys": {}}, "receipt_keys"),
    ({"receipt_keys": [entry(OTHER)] * 101}, "receipt_keys"),
    ({"receipt_keys": [entry(OTHER, UNTIL)]}, "receipt_keys"),
    ({"receipt_keys": ["key"]}, r"receipt_keys\[0\]"),
    ({"receipt_keys": [entry(OTHER), {"until": None}]}, r"receipt_keys\[1\]\.jwk"),
    ({"receipt_keys": [{"jwk": JWK | {"x": "AA"}}]}, r"receipt_keys\[0\]\.jwk"),
    ({"receipt_keys": [{"jwk": JWK, "until": "today"}]}, r"receipt_keys\[0\]\.until"),
    ({"receipt_keys": [{"jwk": JWK, "until": 5}]}, r"receipt_keys\[0\]\.until"),
    ({"manifest_keys": []}, "manifest_keys"),
    ({"manifest_keys": [entry(OTHER, UNTIL)]}, "manifest_keys"),
    ({"revoked": None}, "revoked"),
    ({"revoked": {}}, "revoked"),
    ({"revoked": ["kid"]}, "revoked"),
    ({"revoked": [{"kid": 5}]}, "revoked"),
    ({"revoked": [{"since": UNTIL}]}, "revoked"),
    ({"recipients": "age1"}, "recipients"),
    ({"recipients": [5]}, "recipients"),
    ({"recipients": [NAMES[0]]}, "recipients"),
    ({"next_fleet_key": "key"}, "next_fleet_key"),
    ({"next_fleet_key": {}}, "next_fleet_key"),
    ({"next_ca": 5}, "next_ca"),
    ({"next_ca": ["-----BEGIN"]}, "next_ca"),
]


@pytest.mark.parametrize(("changes", "where"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_member_refuses_the_whole(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(NotGenuine, match=where) as raised:
        fleet.read(signed_fleet(OFFICE.payload() | changes, OFFICE.key), [PINNED])

    assert len(str(raised.value)) < 250


def by_hand(text: bytes) -> str:
    header = {"alg": "ES256", "kid": kid(OFFICE.key), "typ": fleet.TYPE}
    return signed_by_hand(header, text, OFFICE.key)


@pytest.mark.parametrize("name", ["recipients", "next_ca"])
def test_text_that_cannot_be_encoded_refuses_the_whole(name: str) -> None:
    """JSON can say half a surrogate pair; the readers of recipients and certificates cannot."""
    said = {"recipients": [NAMES[0], "half"], "next_ca": "half"}
    payload = json.dumps(OFFICE.payload() | {name: said[name]}).replace("half", r"\ud800")

    with pytest.raises(NotGenuine, match=f"malformed: {name}: "):
        fleet.read(by_hand(payload.encode()), [PINNED])


def test_a_document_whose_only_key_is_revoked_is_refused() -> None:
    with pytest.raises(NotGenuine, match="receipt_keys: no key in it is valid"):
        read(receipt_keys=[entry(OTHER)], revoked=[{"kid": kid(OTHER), "since": UNTIL}])


@pytest.mark.parametrize(
    "token",
    [
        "",
        "<html>sign in</html>",
        "\0" * 1000,
        "." * 60_000,
        "A" * (fleet.TOKEN_LIMIT_CHARS + 1),
        by_hand(b"[]"),
        by_hand(b"null"),
        by_hand(b"\xff"),
        by_hand(b'{"v":1,"v":1}'),
        by_hand(b"[" * 20_000),
        by_hand(b'{"v":NaN}'),
        OFFICE.document()[:-7],
        signed_fleet(OFFICE.payload(), OFFICE.key, typ="doorstep-manifest"),
        signed_fleet(OFFICE.payload(), OFFICE.key, typ=None),
        signed_fleet(OFFICE.payload(), OTHER),
    ],
    ids=range(15),
)
def test_garbage_another_type_and_another_signer_are_refused(token: str) -> None:
    with pytest.raises(NotGenuine):
        fleet.read(token, [PINNED])


# From one to the next


def versions(tokens: tuple[str, ...]) -> list[int]:
    """Return the version of each document in the chain."""
    return [
        fleet.document_in_force(tokens[: number + 1], PINNED).version
        for number in range(len(tokens))
    ]


def test_fleet_has_no_document_before_the_first() -> None:
    with pytest.raises(NotGenuine, match="no fleet document has come yet"):
        fleet.document_in_force((), PINNED)


def test_a_newer_one_takes_the_place_of_the_one_in_hand() -> None:
    kept: tuple[str, ...] = ()
    for version in (1, 2, 7):
        kept = fleet.extended_chain(kept, OFFICE.document(version), PINNED)

    assert versions(kept) == [7]


def test_the_same_one_again_changes_nothing() -> None:
    kept = fleet.extended_chain((), OFFICE.document(3), PINNED)

    assert fleet.extended_chain(kept, kept[0], PINNED) == kept


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_older_one_and_another_of_the_same_version_are_refused(version: int) -> None:
    kept = fleet.extended_chain((), OFFICE.document(3), PINNED)

    with pytest.raises(NotGenuine, match=f"version {version} is not newer than 3"):
        fleet.extended_chain(kept, OFFICE.document(version, recipients=NAMES[::-1]), PINNED)


@pytest.mark.parametrize("names", [[], None])
def test_document_without_recipients_does_not_follow_one_with_them(names: list[str] | None) -> None:
    """Presses would leave nothing any more; the other way round sealing begins."""
    kept = fleet.extended_chain((), OFFICE.document(3), PINNED)

    with pytest.raises(NotGenuine, match="names no recipients"):
        fleet.extended_chain(kept, OFFICE.document(4, recipients=names), PINNED)

    before = fleet.extended_chain((), OFFICE.document(3, recipients=names), PINNED)
    assert versions(fleet.extended_chain(before, OFFICE.document(4), PINNED)) == [4]


def test_the_next_key_that_a_document_names_signs_the_one_after_it() -> None:
    heir, named = heirs(1)
    kept = fleet.extended_chain(named, heir.document(2), PINNED)

    assert versions(kept) == [1, 2]
    assert versions(fleet.extended_chain(kept, heir.document(3), PINNED)) == [1, 3]
    with pytest.raises(NotGenuine, match="not trusted here"):  # the old key's time is over
        fleet.extended_chain(kept, OFFICE.document(9), PINNED)


def test_the_old_key_may_still_sign_until_the_next_one_has() -> None:
    named = (OFFICE.document(1, next_fleet_key=entry(NEXT)["jwk"]),)

    again = fleet.extended_chain(
        named, OFFICE.document(2, next_fleet_key=entry(NEXT)["jwk"]), PINNED
    )

    assert versions(again) == [2]
    assert versions(fleet.extended_chain(again, FleetOffice(NEXT).document(3), PINNED)) == [2, 3]


@pytest.mark.parametrize("signer", [OTHER, NEXT])
def test_a_key_that_no_document_names_signs_nothing(signer: signing.PrivateKey) -> None:
    kept = fleet.extended_chain((), OFFICE.document(1), PINNED)

    with pytest.raises(NotGenuine, match="not trusted here"):
        fleet.extended_chain(kept, FleetOffice(signer).document(2), PINNED)


def heirs(count: int) -> tuple[FleetOffice, tuple[str, ...]]:
    """Return the last of so many fleet keys, each named by the one before, and what is kept."""
    offices = [OFFICE, *(FleetOffice() for _ in range(count))]
    kept: tuple[str, ...] = ()
    for number, (office, heir) in enumerate(itertools.pairwise(offices), start=1):
        document = office.document(number, next_fleet_key=entry(heir.key)["jwk"])
        kept = fleet.extended_chain(kept, document, PINNED)
    return offices[-1], kept


def test_a_chain_of_keys_is_followed_link_by_link() -> None:
    last, kept = heirs(4)
    kept = fleet.extended_chain(kept, last.document(5), PINNED)

    assert versions(kept) == [1, 2, 3, 4, 5]
    for other in (kept[1:], (kept[0], *kept[2:]), (*kept, OFFICE.document(9))):
        with pytest.raises(NotGenuine):
            fleet.document_in_force(other, PINNED)


def test_a_fleet_key_that_changes_without_end_is_not_followed() -> None:
    last, kept = heirs(LINKS_LIMIT)

    with pytest.raises(NotGenuine, match="enrol again"):
        fleet.extended_chain(kept, last.document(99), PINNED)


def test_given_fleet_key_that_differs_starts_again() -> None:
    """A device that moved to another fleet; its old documents must not shut the new ones out."""
    kept = fleet.extended_chain((), OFFICE.document(9), PINNED)
    moved = FleetOffice(OTHER)

    document = moved.document(1)

    assert fleet.extended_chain(kept, document, OTHER.public_key()) == (document,)
    with pytest.raises(NotGenuine):
        fleet.extended_chain(kept, OFFICE.document(10), OTHER.public_key())
