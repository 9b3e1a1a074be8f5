"""A client is admitted by its certificate's one common name, until the certificate ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.serve.admission import DenialReason, refusal

ENDS = datetime(2027, 1, 1, tzinfo=UTC)
CLIENTS = ("dispatch", "prometheus")


def peer(*names: str, kind: str = "commonName") -> dict[str, Any]:
    """As `SSLSocket.getpeercert()` has it."""
    subject = tuple(((kind, name),) for name in names)
    return {"subject": subject, "notAfter": "Jan  1 00:00:00 2027 GMT"}


def kind(
    shown: dict[str, Any] | None, now: datetime = ENDS - timedelta(days=1)
) -> DenialReason | None:
    found = refusal(shown, CLIENTS, now)
    return None if found is None else found.kind


def test_listed_client_may_ask() -> None:
    assert [kind(peer(name)) for name in CLIENTS] == [None, None]


@pytest.mark.parametrize(
    "shown",
    [
        peer("van-8"),
        peer("Dispatch"),
        peer("dispatch "),
        peer("dispatch", "van-8"),
        peer("van-8", "dispatch"),
        peer(),
        peer("dispatch", kind="organizationName"),
    ],
    ids=["a device", "case", "a space", "two names", "two others", "none", "another attribute"],
)
def test_nobody_else_may(shown: dict[str, Any]) -> None:
    """Every device of the fleet holds a certificate."""
    assert kind(shown) is DenialReason.NOT_LISTED


@pytest.mark.parametrize("shown", [None, {}])
def test_client_without_a_certificate_may_not_ask(shown: dict[str, Any] | None) -> None:
    assert kind(shown) is DenialReason.NO_CERTIFICATE


def test_a_certificate_counts_until_its_end_and_not_from_then_on() -> None:
    assert kind(peer("dispatch"), ENDS - timedelta(seconds=1)) is None
    assert kind(peer("dispatch"), ENDS) is DenialReason.ENDED
