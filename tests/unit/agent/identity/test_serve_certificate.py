"""Serve's certificate: capture alone decides which one counts, by the request in `trust/`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.config import Config, load
from agent.errors import NotGenuine
from agent.identity.serve_certificate import ServeCertificate
from agent.process.verdict import TAKEN
from agent.record import certificates, signing
from agent.record.certificates import Certificate
from agent.trust.store import TrustStore
from tests.support.authority import Authority, new_authority
from tests.support.device import Device

AUTHORITY = new_authority()
NAMES = ("van-7.vans.example", "10.8.0.7")


class Scene:
    """A device whose serve's key and request are made."""

    def __init__(self, folder: Path) -> None:
        (folder / "ca.pem").write_bytes(AUTHORITY.pem)
        fleet_key = signing.public_pem(signing.new_key().public_key())
        (folder / "fleet-key.pem").write_bytes(fleet_key)
        device = Device(
            folder,
            identity={"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"},
            backend={"receipt_keys": []},
        )
        device.layout.make()
        self.config: Config = load(device.config)
        self.key = signing.new_key()
        self.trust = TrustStore(device.layout)
        self.serve = ServeCertificate(self.config)
        self.serve.ask_with(self.request())

    def request(self, *names: str, key: signing.PrivateKey | None = None) -> str:
        asked = certificates.request(key or self.key, "van-7", names or NAMES)
        return certificates.request_pem(asked)

    def issue(
        self,
        by: Authority = AUTHORITY,
        name: str = "van-7",
        names: tuple[str, ...] = NAMES,
        days_ago: float = 0.1,
    ) -> Certificate:
        began = datetime.now(UTC) - timedelta(days=days_ago)
        key = self.key.public_key()
        return by.issue(key, name, server=True, names=names, starts=began)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def pem(*found: Certificate) -> str:
    return certificates.pem(found).decode()


def test_certificate_for_its_key_and_names_is_kept(scene: Scene) -> None:
    leaf = scene.issue()

    assert scene.serve.offer(pem(leaf)) == TAKEN

    assert scene.trust.serve() == pem(leaf).encode()
    assert scene.serve.ends == leaf.not_valid_after_utc
    assert ServeCertificate(scene.config).ends == leaf.not_valid_after_utc


def test_names_are_the_same_in_capitals_and_in_another_order(scene: Scene) -> None:
    scene.serve.ask_with(scene.request("2001:DB8:0::7", "VAN-7.Vans.Example"))

    assert scene.serve.offer(pem(scene.issue(names=("van-7.vans.example", "2001:db8::7")))) == TAKEN


def test_certificate_for_more_names_than_were_asked_for_counts(scene: Scene) -> None:
    """As an authority gives it that adds the common name."""
    assert scene.serve.offer(pem(scene.issue(names=(*NAMES, "van-7")))) == TAKEN


BAD: dict[str, Callable[[Scene], str]] = {
    "another key": lambda _: pem(
        AUTHORITY.issue(signing.new_key().public_key(), "van-7", server=True, names=NAMES)
    ),
    "another device": lambda scene: pem(scene.issue(name="van-8")),
    "authority that is not trusted": lambda scene: pem(scene.issue(new_authority("other"))),
    "no serverAuth": lambda scene: pem(AUTHORITY.issue(scene.key.public_key(), "van-7")),
    "not for 10.8.0.7": lambda scene: pem(scene.issue(names=NAMES[:1])),
    "it ended on": lambda scene: pem(scene.issue(days_ago=400)),
    "no certificates in it": lambda _: "nothing",
    "and the one that is kept counts": lambda scene: pem(scene.issue(days_ago=100)),
}


@pytest.mark.parametrize("words", list(BAD))
def test_what_does_not_count_is_refused_in_words_and_changes_nothing(
    scene: Scene, words: str
) -> None:
    scene.serve.offer(pem(scene.issue()))
    before, ends = scene.trust.serve(), scene.serve.ends

    verdict = scene.serve.offer(BAD[words](scene))

    assert verdict.why is not None
    assert words in verdict.why
    assert not verdict.again
    assert (scene.trust.serve(), scene.serve.ends) == (before, ends)


def test_without_a_request_nothing_is_taken(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "state" / "trust" / "serve.csr").unlink()

    verdict = scene.serve.offer(pem(scene.issue()))

    assert "none was asked for" in str(verdict.why)
    assert scene.trust.serve() is None


def test_same_question_keeps_the_request_as_it_is(scene: Scene) -> None:
    before = scene.trust.serve_request()

    assert scene.serve.ask_with(scene.request()) == before
    assert scene.trust.serve_request() == before


@pytest.mark.parametrize("what", ["key", "names", "device", "spoilt"])
def test_another_question_replaces_the_request(scene: Scene, what: str) -> None:
    asked = {
        "key": scene.request(key=signing.new_key()),
        "names": scene.request("van-7"),
        "device": certificates.request_pem(certificates.request(scene.key, "van-8", NAMES)),
        "spoilt": scene.request(),
    }[what]
    if what == "spoilt":
        scene.trust.keep_serve_request("garbage")

    assert scene.serve.ask_with(asked) == asked

    assert scene.trust.serve_request() == asked


def test_after_another_question_a_shorter_certificate_counts(scene: Scene) -> None:
    """The kept one is for what is asked for no more: it does not stand in the way."""
    scene.serve.offer(pem(scene.issue()))
    scene.serve.ask_with(scene.request("van-7"))
    shorter = pem(scene.issue(names=("van-7",), days_ago=100))

    assert scene.serve.offer(shorter) == TAKEN


def test_what_is_no_request_is_not_kept(scene: Scene) -> None:
    before = scene.trust.serve_request()

    with pytest.raises(NotGenuine, match="not a certificate request"):
        scene.serve.ask_with("nothing")

    assert scene.trust.serve_request() == before
