"""Checks of the profile fleet: certificates over EST, and the access that they give."""

import json
from collections.abc import Sequence

from agent.errors import NotGenuine
from agent.record import certificates, signing
from agent.record.usages import Use
from tests.conformance.check import Failed, Profile, check
from tests.conformance.enrolment import REFUSALS
from tests.conformance.line import Answer
from tests.conformance.target import Device, Target
from tests.conformance.upload import JSON
from tests.support.factory import RecordMaker

WIRE = "identity.md#est-on-the-wire"


@check(WIRE, Profile.FLEET)
def cacerts(target: Target) -> None:
    """`cacerts` answers anybody with a certs-only CMS message in base64, which has authorities
    only.

    A device whose certificate is from an intermediate authority cannot enrol without it.
    """
    answer = target.enrolment.cacerts().expect(200)
    try:
        found = certificates.read_answer(answer.body)
    except NotGenuine as error:
        raise Failed(f"{answer.asked}: a device cannot read the answer: {error}.") from error
    if not all(map(certificates.is_authority, found)):
        raise Failed(f"{answer.asked} has a certificate that may not issue others.")


@check(WIRE, Profile.FLEET)
def enrol_by_token(target: Target) -> None:
    """`simpleenroll` answers a one-time token with a TLS certificate for the key and the name in
    the request, with `clientAuth`; a wrong token is answered 401, and uses up nothing.

    Otherwise a device never enrols, or anybody enrols in its name.
    """
    device = target.enrolment.enrol(target.enrolment.new_devices[0])
    target.ask("GET", "/fleet", device=device).expect(200)


@check(WIRE, Profile.FLEET)
def token_once(target: Target) -> None:
    """A repeated request with the same token gets a certificate again; a request for another key is
    refused.

    A device whose answer was lost asks again; a thief with a used token must get nothing.
    """
    enrolment = target.enrolment
    one = enrolment.new_devices[1]
    enrolment.enrolled(one)
    again = enrolment.by_token(one, one.key, one.token)
    enrolment.issued(again, one.key, one.device_id)
    enrolment.by_token(one, signing.new_key(), one.token).expect(*REFUSALS)


@check(WIRE, Profile.FLEET)
def re_enrol(target: Target) -> None:
    """`simplereenroll` over mutual TLS gives a certificate for a new key; until the device uses it,
    its old certificate gets the answer again.

    A device renews by itself, also on a bad network; otherwise a year later it delivers no more.
    """
    enrolment = target.enrolment
    one = enrolment.new_devices[0]
    old, key = enrolment.enrolled(one), signing.new_key()
    for _ in range(2):
        answer = enrolment.ask("simplereenroll", old, key)
        new = enrolment.installed(one, answer, key)
    target.ask("GET", "/fleet", device=new).expect(200)
    one.now = new


@check(WIRE, Profile.FLEET)
def evidence_certificate(target: Target) -> None:
    """`evidence/simpleenroll` gives a certificate for the signing key, whenever it is asked, with
    neither `clientAuth` nor `serverAuth`.

    Otherwise no record of a device gets a receipt, or its signing key opens connections.
    """
    enrolment = target.enrolment
    one = enrolment.new_devices[0]
    device, key = enrolment.enrolled(one), one.maker.key
    for _ in range(2):
        answer = enrolment.ask("evidence/simpleenroll", device, key)
        enrolment.issued(answer, key, one.device_id, Use.EVIDENCE)


@check(WIRE, Profile.FLEET)
def certificate_of_own_name(target: Target) -> None:
    """A device gets no certificate in another device's name, whatever name its request has.

    Otherwise the thief of one device reads every route, and delivers records in every name.
    """
    enrolment = target.enrolment
    own, other = map(enrolment.enrolled, enrolment.new_devices[:2])
    pretender = Device(RecordMaker(other.device_id), own.tls)
    for operation in ("simplereenroll", "evidence/simpleenroll"):
        answer = enrolment.ask(operation, pretender, signing.new_key())
        if answer.status != 200:
            answer.expect_refused()
        elif other.device_id in map(certificates.common_name, _certificates(answer)):
            raise Failed(f"{answer.asked} gave a device a certificate in another one's name.")


def _certificates(answer: Answer) -> Sequence[certificates.Certificate]:
    try:
        return certificates.read_answer(answer.body)
    except NotGenuine:
        return ()


@check("wire.md#the-end-of-a-device", Profile.FLEET)
def retire_only_itself(target: Target) -> None:
    """POST /retire with another device's id is refused, and ends nothing.

    Otherwise the thief of one device ends the whole fleet.
    """
    question = json.dumps({"device_id": target.other.device_id}).encode()
    target.ask("POST", "/retire", JSON, question).expect_refused()
    target.ask("GET", "/fleet", device=target.other).expect(200)
