"""The devices that a run enrols over EST, by the tokens that the operator gave it."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.errors import NotGenuine
from agent.record import certificates, signing, usages
from agent.record.certificates import Certificate, Expected
from agent.record.usages import Use
from agent.wire.http import basic
from tests.conformance.check import Failed, NotChecked
from tests.conformance.line import Answer
from tests.conformance.target import Device, Target
from tests.support.factory import RecordMaker

EST: Final = "/.well-known/est"
"""Source: RFC 7030 section 3.2.2."""

REFUSALS: Final = (401, 403)
"""Answers that shut a device out; it then keeps its records."""


@dataclass
class NewDevice:
    """A device with a token, which gets its certificates when the first check needs them.

    Attributes:
        key: the key of its first TLS certificate.
        maker: makes its records; its key is what the evidence certificate is for.
        wrong: the answer to a request by a wrong token, which comes before the first one.
        first: the answer to its first request for a TLS certificate.
        now: the device with its present TLS certificate; None before the first.
        is_certified: whether its signing key has an evidence certificate.
    """

    device_id: str
    token: str
    key: signing.PrivateKey
    maker: RecordMaker
    wrong: Answer | None = None
    first: Answer | None = None
    now: Device | None = None
    is_certified: bool = False


def read_tokens(given: Sequence[str]) -> dict[str, str]:
    """Read the tokens of `--enrol`, each as ID=FILE. Raises OSError, ValueError."""
    tokens = {}
    for text in given:
        device_id, _, file = text.partition("=")
        if not device_id or not file:
            raise ValueError(f"--enrol: {text} is not ID=FILE")
        if device_id in tokens:
            raise ValueError(f"--enrol: {device_id} is named twice")
        tokens[device_id] = Path(file).read_text(encoding="ascii").strip()
    return tokens


class Enrolment:
    """The devices of a run in the profile fleet.

    Args:
        est: the EST server.
        tokens: the token of each device, by its id.
        folder: for their keys and certificates.
    """

    def __init__(self, est: Target, tokens: dict[str, str], folder: Path) -> None:
        self.est = est
        self._folder = folder
        self.new_devices = [
            NewDevice(one, token, signing.new_key(), RecordMaker.begun(one))
            for one, token in tokens.items()
        ]

    def devices(self, _target: Target) -> Sequence[Device]:
        """Return the devices; enrol them first.

        Raises:
            NotChecked: that failed.
        """
        return [self._certified(one) for one in self.new_devices]

    def enrolled(self, one: NewDevice) -> Device:
        """Return the device with its TLS certificate; enrol it first. Raises NotChecked."""
        try:
            return self.enrol(one)
        except Failed as error:
            raise NotChecked("no device could be enrolled: see enrol-by-token") from error

    def enrol(self, one: NewDevice) -> Device:
        """Return the device with its TLS certificate; enrol it by its token if it has none.

        Raises:
            Failed: the answer has no certificate that the device takes, or a wrong token enrols.
        """
        if one.now is None:
            if one.wrong is None:
                one.wrong = self.by_token(one, signing.new_key(), "wrong")
            one.wrong.expect(*REFUSALS)
            if one.first is None:
                one.first = self.by_token(one, one.key, one.token)
            one.now = self.installed(one, one.first, one.key)
        return one.now

    def by_token(self, one: NewDevice, key: signing.PrivateKey, token: str) -> Answer:
        """Ask for a TLS certificate for this key, without one to show."""
        nobody = Device(one.maker)
        return self.ask("simpleenroll", nobody, key, {"Authorization": basic(one.device_id, token)})

    def ask(
        self,
        operation: str,
        device: Device,
        key: signing.PrivateKey,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask for a certificate for this key under the device's name."""
        asked = certificates.request(key, device.device_id)
        sent = {"Content-Type": "application/pkcs10"} | (headers or {})
        body = base64.encodebytes(asked.der)
        return self.est.ask("POST", f"{EST}/{operation}", sent, body, device=device)

    def issued(
        self, answer: Answer, key: signing.PrivateKey, device_id: str, use: Use = Use.TLS
    ) -> tuple[Certificate, ...]:
        """Return the certificate for this key in an answer, and what leads to the authority.

        Raises:
            Failed: there is none that a device takes.
        """
        try:
            found = certificates.read_answer(answer.expect(200).body)
            assert self.est.ca is not None, "the options see to it"
            expected = Expected(device_id, certificates.read_pem(self.est.ca.read_bytes()))
            pool = [*found, *self.authorities()]
            chain = certificates.issued(pool, key.public_key(), expected)
            usages.check(use, chain[0], ())
        except NotGenuine as error:
            raise Failed(f"{answer.asked}: a device does not take the answer: {error}.") from error
        return chain

    def installed(self, one: NewDevice, answer: Answer, key: signing.PrivateKey) -> Device:
        """Return the device with the TLS certificate in this answer. Raises Failed."""
        chain = self.issued(answer, key, one.device_id)
        path = self._folder / f"{chain[0].serial_number:x}.pem"
        path.write_bytes(signing.private_pem(key) + certificates.pem(chain))
        return Device(one.maker, path)

    def cacerts(self) -> Answer:
        """Ask for the authorities, without a certificate to show."""
        return self.est.ask("GET", f"{EST}/cacerts", device=Device(RecordMaker()))

    def authorities(self) -> Sequence[Certificate]:
        """Return the authorities between a device's certificate and the trusted one, if any.

        The check `cacerts` verifies them.
        """
        answer = self.cacerts()
        try:
            return certificates.read_answer(answer.body) if answer.status == 200 else ()
        except NotGenuine:
            return ()

    def _certified(self, one: NewDevice) -> Device:
        device = self.enrolled(one)
        if not one.is_certified:
            answer = self.ask("evidence/simpleenroll", device, one.maker.key)
            if answer.status != 200:
                raise NotChecked("no signing key got a certificate: see evidence-certificate")
            one.is_certified = True
        return device
