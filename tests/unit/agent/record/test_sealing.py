"""Sealing: the recipients, the identities that open, and the answer to a wrong recipient."""

import pyrage  # noqa: TID251 - to make an identity
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import NotGenuine
from agent.record import sealing
from agent.record.sealing import AgeIdentity, NoRecipients, NotIdentities, Recipients, Unopened
from tests.support.sealed import ESCROW, IDENTITIES, NAMES, OFFICE, RECIPIENTS

SEALED = sealing.seal(b"x" * 1000, RECIPIENTS)
OTHER = sealing.read_identities(str(pyrage.x25519.Identity.generate()))


@settings(max_examples=50)
@given(st.binary(max_size=200_000))
def test_each_identity_alone_opens_what_was_sealed(body: bytes) -> None:
    sealed = sealing.seal(body, RECIPIENTS)

    assert [sealing.open_sealed(sealed, [one]) for one in IDENTITIES] == [body, body]
    assert body not in sealed.partition(b"\n--- ")[2] or len(body) < 20  # behind the header


def test_holder_of_another_identity_opens_nothing() -> None:
    with pytest.raises(NotGenuine, match="sealed: No matching keys found"):
        sealing.open_sealed(sealing.seal(b"secret", RECIPIENTS), OTHER)


@settings(max_examples=200)
@given(st.data())
def test_an_altered_body_does_not_open(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SEALED) - 1))
    flipped = bytes([SEALED[at] ^ 1 << data.draw(st.integers(0, 7))])

    with pytest.raises(NotGenuine):
        sealing.open_sealed(SEALED[:at] + flipped + SEALED[at + 1 :], IDENTITIES)


def _sealed_to(stanzas: int) -> tuple[bytes, list[AgeIdentity]]:
    """A body sealed to as many, by pyrage alone, and the last one's identity."""
    secrets = [pyrage.x25519.Identity.generate() for _ in range(stanzas)]
    sealed = pyrage.encrypt(b"secret", [one.to_public() for one in secrets])
    return bytes(sealed), sealing.read_identities(str(secrets[-1]))


def test_a_body_opens_when_sealed_to_the_most_recipients() -> None:
    """pyrage adds a stanza of random length now and then; the limits have room for it."""
    for _ in range(20):
        sealed, last = _sealed_to(sealing.MOST)

        assert sealing.open_sealed(sealed, last) == b"secret"


def test_a_header_is_refused_when_it_has_more_stanzas_than_a_device_writes() -> None:
    """pyrage would open it, in a time that grows with the square of the header."""
    sealed, last = _sealed_to(sealing.STANZAS_LIMIT + 1)

    assert pyrage.decrypt(sealed, [last[0].secret]) == b"secret"
    with pytest.raises(Unopened, match="not one that a device writes"):
        sealing.open_sealed(sealed, last)


HEADER, _, PAYLOAD = SEALED.partition(b"\n--- ")
LONG = sealing.HEADER_LIMIT_BYTES


@pytest.mark.parametrize(
    "hostile",
    [
        HEADER + b"\n-> a" + b" a" * LONG + b"\n\n--- " + PAYLOAD,
        HEADER + b"\n-> " + b"a" * LONG + b"\n\n--- " + PAYLOAD,
        HEADER + b"\n-> a" + (b"\n" + b"A" * 64) * (LONG // 64) + b"\n\n--- " + PAYLOAD,
        HEADER + b"\n-> a\n" * sealing.STANZAS_LIMIT + b"\n--- " + PAYLOAD,
        HEADER + b"\n-> a\n" * (LONG // 2),
        b"age-encryption.org/" + b"v" * LONG + HEADER + b"\n--- " + PAYLOAD,
        b"-----BEGIN AGE ENCRYPTED FILE-----\n" + SEALED,
        HEADER,
        b"",
    ],
    ids=[
        *("many arguments", "a long argument", "many lines", "many stanzas", "no end"),
        *("a long version", "armor", "cut off", "nothing"),
    ],
)
def test_a_header_is_refused_before_it_is_parsed_when_it_exceeds_a_limit(hostile: bytes) -> None:
    """The message is ours and not pyrage's, so pyrage did not see it."""
    with pytest.raises(Unopened, match="not one that a device writes"):
        sealing.open_sealed(hostile, IDENTITIES)


ONE, TWO = NAMES


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "0 recipients, 2 to 20 expected: office and escrow"),
        ([ONE], "1 recipients, 2 to 20 expected"),
        ([ONE, ONE], "is there twice"),
        ([ONE, f" {TWO}"], "recipient 2: .* has white space in it"),
        ([ONE, f"{TWO}\n"], "recipient 2: .* has white space in it"),
        ([ONE, TWO.upper()], "recipient 2: .* is not in lower case"),
        ([ONE, TWO[:-1]], "recipient 2: .* is not what `age-keygen` calls a public key"),
        ([ONE, "age1pq1" + "q" * 1900], "recipient 2: .* is a post-quantum one"),
        ([ONE, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"], "recipient 2: .* has white space in it"),
        ([ONE, ""], "recipient 2: '' is not what"),
        ([ONE, OFFICE], "recipient 2: an identity, which is secret"),
    ],
)
def test_wrong_recipients_are_named_and_no_secret_is_repeated(names: list[str], words: str) -> None:
    with pytest.raises(NoRecipients, match=words) as told:
        Recipients.of(names)

    assert OFFICE[16:] not in str(told.value)


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", f"{OFFICE[:-1]}\n", f"{OFFICE} {ESCROW}", ONE], ids=range(5)
)
def test_file_without_identities_is_reported_and_no_secret_is_repeated(text: str) -> None:
    with pytest.raises(NotIdentities, match="no age identity") as told:
        sealing.read_identities(text)

    assert OFFICE[16:30] not in str(told.value)
    assert OFFICE[16:] not in repr(IDENTITIES)
