"""The signed documents of the backend under test, verified as a device verifies them."""

from collections.abc import Mapping

from agent.errors import NotGenuine
from agent.record import receipt
from agent.record.receipt import Keys
from agent.record.signing import PublicKey
from agent.rule import manifest as manifests
from agent.rule.manifest import Manifest
from agent.trust import fleet
from agent.trust.fleet import FleetDocument
from tests.conformance.check import Failed
from tests.conformance.line import Answer
from tests.conformance.target import Device, Target
from tests.support.wire import named


class Fleet:
    """The fleet document as a device keeps it: each version follows from the one before.

    Attributes:
        tokens: the documents that lead from the fleet key to the one in force.
    """

    def __init__(self, pinned: PublicKey) -> None:
        self.pinned = pinned
        self.tokens: tuple[str, ...] = ()

    def keys(self, target: Target) -> Keys:
        """Ask, and return the keys that may sign receipts now."""
        return self.document(target).receipt_keys

    def document(self, target: Target) -> FleetDocument:
        """Ask as a device does, which names the document that it has; return the one in force.

        Raises:
            Failed: the answer is none that a device believes.
        """
        tag = fleet.tag(self.tokens, self.pinned)
        answer = ask(target, tag)
        if answer.status != 304 or tag is None:
            self.tokens = self.followed_by(answer)
        return fleet.document_in_force(self.tokens, self.pinned)

    def followed_by(self, answer: Answer) -> tuple[str, ...]:
        """Return the documents with the one in this answer. Raises Failed if it does not follow."""
        token = answer.expect(200).body.decode("ascii", "replace")
        try:
            return fleet.extended_chain(self.tokens, token, self.pinned)
        except NotGenuine as error:
            raise Failed(
                f"{answer.asked}: a device does not believe the document: {error}."
            ) from error


def ask(target: Target, tag: str | None) -> Answer:
    """Ask for the fleet document, as a device that has the one of this ETag."""
    return target.ask("GET", "/fleet", {} if tag is None else {"If-None-Match": tag})


def manifest_of(target: Target, answer: Answer, device: Device) -> Manifest:
    """Return the manifest in an answer as this device reads it.

    Raises:
        Failed: it is none that the device accepts.
    """
    if answer.status == 404 and device is not target.other:
        raise Failed(f"{answer}; {device.device_id} must have a route that is valid now.")
    token = answer.expect(200).body.decode("ascii", "replace")
    keys = target.manifest_keys()
    try:
        found = manifests.read(token, receipt.public(keys), device.device_id)
        receipt.check_date(found.begins, token, keys)
    except NotGenuine as error:
        raise Failed(f"{answer.asked}: the device refuses the manifest: {error}.") from error
    return found


def ask_manifest(
    target: Target, device: Device | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Ask for the manifest as this device, by default as the one that has a manifest."""
    device = device or target.routed
    name = named(device.device_id) if device.tls is None else {}
    return target.ask("GET", "/manifest", name | dict(headers or {}), device=device)
