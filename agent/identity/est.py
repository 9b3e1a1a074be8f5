"""A client of EST (RFC 7030, RFC 8951), for certificates of a fleet's own authority.

Every answer is untrusted; the caller decides which certificate in it counts, by
`agent.record.certificates.issued`.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.errors import DoorstepError, ExitCode, NotGenuine
from agent.record import certificates
from agent.record.certificates import Certificate, Request
from agent.wire.http import HttpClient, Limits, NoAnswer, basic
from agent.wire.tls import ClientTls
from agent.wire.tus import Answer, quoted, retry_after_s

REQUEST_TYPE: Final = "application/pkcs10"
"""Source: RFC 7030 section 4.2.1."""

WAIT_LEAST_S: Final = 1.0
"""After a 202 without a usable Retry-After, or one of 0: no busy loop."""

WAIT_USUAL_S: Final = 60.0
"""Wait after a 202 without a time: a person approves by hand. Source: RFC 7030 section 4.2.3."""

_USUAL: Final = Limits()


class Operation(StrEnum):
    """Operations: the path below `/.well-known/est/` (RFC 7030 section 3.2.2)."""

    FIRST = "simpleenroll"
    AGAIN = "simplereenroll"
    EVIDENCE = "evidence/simpleenroll"
    SERVE = "serve/simpleenroll"


class NotIssued(DoorstepError):
    """A refusal by the authority; the message quotes it, and names the remedy.

    Attributes:
        status: the HTTP status of the answer.
    """

    exit_code = ExitCode.NOT_GENUINE

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Pending:
    """An authority that has not decided yet: repeat the request after `after_s`."""

    after_s: float


class EstClient(HttpClient):
    """A client of an EST server.

    Args:
        origin: its address; `/.well-known/est/` comes behind it.
        tls, limits, alive: as of HttpClient.
    """

    def __init__(
        self,
        origin: str,
        tls: ClientTls,
        limits: Limits = _USUAL,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(tls, limits, alive, "the EST server")
        self._place = f"{origin.rstrip('/')}/.well-known/est"

    def authorities(self) -> Sequence[Certificate]:
        """Ask the server for its authorities.

        Raises:
            NoAnswer: no answer came, or none of an EST server.
            NotGenuine: the answer has something else than certificates.
        """
        with self.attempt():
            answer = self._ask("GET", f"{self._place}/cacerts", {}, None)
        if answer.status != 200:
            raise NoAnswer(quoted("cacerts", answer) + ", which is no answer of an EST server")
        return _certificates("cacerts", answer)

    def enrol(
        self, operation: Operation, request: Request, login: tuple[str, str] | None = None
    ) -> Sequence[Certificate] | Pending:
        """Ask for a certificate; with `login` by name and password, else as this device.

        Raises:
            NoAnswer: none came, or none of an EST server.
            NotIssued: the server refuses.
            NotGenuine: an answer with something else than certificates.
        """
        headers = {"Content-Type": REQUEST_TYPE}
        if login is not None:
            headers["Authorization"] = basic(*login)
        body = base64.encodebytes(request.der)  # in lines: libest takes no other
        with self.attempt():
            answer = self._ask("POST", f"{self._place}/{operation}", headers, body)
        return _decided(operation, answer, by_token=login is not None)


def _decided(
    operation: Operation, answer: Answer, *, by_token: bool
) -> Sequence[Certificate] | Pending:
    said = quoted(operation, answer)
    match answer.status:
        case 200:
            return _certificates(operation, answer)
        case 202:
            asked_s = retry_after_s(answer)
            return Pending(max(WAIT_USUAL_S if asked_s is None else asked_s, WAIT_LEAST_S))
        case 401 | 403 if by_token:
            words = "the token is wrong, used, or another device's: ask the office for a new one"
            raise NotIssued(f"{said}: {words}", answer.status)
        case 403 if operation is Operation.SERVE:
            words = "`devices names` at the office gives this device what serve.names asks for"
            raise NotIssued(f"{said}: {words}", answer.status)
        case 401 | 403:
            words = "this device's certificate is not accepted: `doorstep enrol` with a new token"
            raise NotIssued(f"{said}: {words}", answer.status)
        case 429:
            raise NoAnswer(f"{said}: too many at once; try again later")
        case status if 400 <= status <= 499:
            words = "the authority takes no such request; ask its operator"
            raise NotIssued(f"{said}: {words}", answer.status)
    raise NoAnswer(f"{said}, which is no answer of an EST server; try again later")


def _certificates(asked: str, answer: Answer) -> Sequence[Certificate]:
    try:
        return certificates.read_answer(answer.body)
    except NotGenuine as error:
        words = "is it an EST server, or something in between?"
        raise NotGenuine(f"{asked}: the answer is not genuine: {error}; {words}") from error
