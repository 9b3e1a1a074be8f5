"""The evidence certificate: capture alone decides which one counts for its key."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.config import Config, load
from agent.identity.device_key import device_key
from agent.identity.evidence import Evidence
from agent.process.verdict import TAKEN
from agent.record import certificates, signing
from agent.record.certificates import Certificate
from agent.trust.store import TrustStore
from tests.support.authority import Authority, new_authority
from tests.support.device import Device
from tests.support.fleet_documents import fleet_document

FLEET_KEY = signing.new_key()
AUTHORITY = new_authority()


class Scene:
    def __init__(self, folder: Path) -> None:
        (folder / "ca.pem").write_bytes(AUTHORITY.pem)
        (folder / "fleet-key.pem").write_bytes(signing.public_pem(FLEET_KEY.public_key()))
        device = Device(
            folder,
            identity={"mode": "required", "ca": "ca.pem", "fleet_key": "fleet-key.pem"},
            backend={"receipt_keys": []},
        )
        device.layout.make()
        self.config: Config = load(device.config)
        self.key, _ = device_key(device.layout)
        self.trust = TrustStore(device.layout)
        self.evidence = Evidence(self.config, self.key)

    def issue(self, by: Authority = AUTHORITY, name: str = "van-7") -> Certificate:
        return by.issue(self.key.public_key(), name, evidence=True)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def pem(*found: Certificate) -> str:
    return certificates.pem(found).decode()


def test_request_is_for_the_signing_key(scene: Scene) -> None:
    found = certificates.read_request(scene.evidence.request())

    assert found.key == scene.key.public_key()


def test_certificate_for_its_key_is_kept(scene: Scene) -> None:
    leaf = scene.issue()

    assert scene.evidence.offer(pem(leaf)) == TAKEN

    assert scene.trust.evidence() == pem(leaf).encode()


def test_intermediates_are_kept_and_what_does_not_belong_is_not(scene: Scene) -> None:
    below = AUTHORITY.below("North")
    leaf = scene.issue(below)

    scene.evidence.offer(pem(new_authority("stranger").certificate, below.certificate, leaf))

    assert scene.trust.evidence() == pem(leaf, below.certificate).encode()


def test_next_authority_of_the_fleet_counts_too(scene: Scene) -> None:
    coming = new_authority("next")
    assert "not trusted here" in str(scene.evidence.offer(pem(scene.issue(coming))).why)
    document = fleet_document(FLEET_KEY, next_ca=coming.pem.decode())
    scene.trust.keep_fleet((document,))

    assert scene.evidence.offer(pem(scene.issue(coming))) == TAKEN


BAD: dict[str, Callable[[Scene], str]] = {
    "another key": lambda _: pem(
        AUTHORITY.issue(signing.new_key().public_key(), "van-7", evidence=True)
    ),
    "another device": lambda scene: pem(scene.issue(name="van-8")),
    "authority that is not trusted": lambda scene: pem(scene.issue(new_authority("other"))),
    "not a certificate for evidence": lambda scene: pem(
        AUTHORITY.issue(scene.key.public_key(), "van-7")
    ),
    "it ended on 2020-12-31": lambda scene: pem(
        AUTHORITY.issue(
            scene.key.public_key(), "van-7", evidence=True, starts=datetime(2020, 1, 1, tzinfo=UTC)
        )
    ),
    "no certificates in it": lambda _: "nothing",
    "certificates": lambda scene: pem(*[scene.issue()] * 17),
}


@pytest.mark.parametrize("words", BAD)
def test_what_does_not_count_is_refused_in_words_and_changes_nothing(
    scene: Scene, words: str
) -> None:
    scene.evidence.offer(pem(scene.issue()))
    before = scene.trust.evidence()

    verdict = scene.evidence.offer(BAD[words](scene))

    assert verdict.why is not None
    assert words in verdict.why
    assert not verdict.again
    assert scene.trust.evidence() == before


def shorter(scene: Scene, by: Authority = AUTHORITY) -> Certificate:
    """One that is good as such, and ends in a year."""
    began = datetime.now(UTC) - timedelta(days=1)
    return by.issue(scene.key.public_key(), "van-7", evidence=True, starts=began)


def test_one_that_ends_earlier_does_not_replace_the_better_one(scene: Scene) -> None:
    """Whoever may offer has seen the earlier ones too."""
    scene.evidence.offer(pem(good := scene.issue()))

    verdict = scene.evidence.offer(pem(shorter(scene)))

    assert verdict.why is not None
    assert "the one that is kept counts until 9999-12-31" in verdict.why
    assert not verdict.again
    assert scene.trust.evidence() == pem(good).encode()
    assert scene.evidence.offer(pem(good)) == TAKEN


def test_one_that_ends_earlier_replaces_what_leads_to_no_trusted_authority(scene: Scene) -> None:
    """The fleet has moved to another authority, which gives less."""
    scene.evidence.offer(pem(scene.issue()))
    other = new_authority("new")
    assert scene.config.identity.ca is not None
    scene.config.identity.ca.write_bytes(other.pem)

    assert scene.evidence.offer(pem(shorter(scene, other))) == TAKEN


def test_one_that_ends_earlier_replaces_what_is_for_another_key_or_is_spoilt(scene: Scene) -> None:
    another = AUTHORITY.issue(signing.new_key().public_key(), "van-7", evidence=True)
    for kept in (pem(another), "nothing"):
        scene.trust.keep_evidence(kept.encode())

        assert scene.evidence.offer(pem(shorter(scene))) == TAKEN


def test_authority_that_cannot_be_read_is_worth_another_try(scene: Scene) -> None:
    assert scene.config.identity.ca is not None
    scene.config.identity.ca.unlink()

    verdict = scene.evidence.offer(pem(scene.issue()))

    assert verdict.again
    assert verdict.why is not None
    assert "identity.ca" in verdict.why


def test_until_when_it_counts_is_known_without_reading_it_again(scene: Scene) -> None:
    leaf = scene.issue()
    none = scene.evidence.ends
    scene.evidence.offer(pem(leaf))
    taken = scene.evidence.ends
    restarted = Evidence(scene.config, scene.key)
    (scene.config.state.dir / "trust" / "evidence.pem").unlink()

    assert none is None
    assert taken == restarted.ends == certificates.ends(leaf)
    assert Evidence(scene.config, scene.key).ends is None


def test_a_certificate_for_another_key_counts_until_never(scene: Scene) -> None:
    scene.evidence.offer(pem(scene.issue()))

    assert Evidence(scene.config, signing.new_key()).ends is None


def test_one_that_is_refused_changes_nothing_of_that(scene: Scene) -> None:
    scene.evidence.offer(pem(scene.issue()))
    before = scene.evidence.ends
    scene.evidence.offer(BAD["another key"](scene))

    assert scene.evidence.ends == before
