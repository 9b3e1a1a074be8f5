"""Capture's and serve's parts of an enrolment: their keys, and what comes for `trust/`.

A running capture process is asked over its socket; without one, its lock is held meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from agent.config import Config
from agent.errors import NotGenuine, NotNow
from agent.identity import requested
from agent.identity.capture_certificates import Evidence, ServeCertificate
from agent.identity.current_fleet import CurrentFleet
from agent.identity.device_key import device_key, serve_key
from agent.process import control
from agent.process.control import Line
from agent.process.offer_result import OfferResult
from agent.queue.disk import lock
from agent.queue.paths import Layout
from agent.record.usages import Use
from agent.trust.store import TrustStore

_TIMEOUT_S: Final = 30.0
"""Longest wait for a running capture process: it may be at a press, on a worn card."""


def request(config: Config) -> str:
    """Return a request for a certificate, PEM, for the key that signs records; make a missing key.

    Raises:
        NotNow: another process holds capture's lock, and does not answer yet.
        StorageFault: the disk failed, or the key cannot be used.
    """
    answer = _ask(config, {"request": "evidence"})
    if answer is not None:
        return str(answer.get("request"))
    Layout.of(config.state).make()
    with _instead_of_capture(config) as evidence:
        return evidence.request()


def request_as_serve(config: Config) -> str:
    """Return a request, PEM, for serve's key and `serve.names`; make a missing key.

    Raises:
        ConfigError: with certificates as files, `identity.ca` cannot be read.
        StorageFault: the disk failed, or the present key cannot be used.
    """
    return requested.request(config, Use.SERVE, serve_key(Layout.of(config.state)))


def serve_request(config: Config, asked: str) -> str:
    """Put serve's request, PEM, into `trust/`; return the one in force, which may be the old one.

    The owner of `trust/` calls this, without the socket: a running capture reads the file again
    each time.

    Raises:
        NotGenuine: it is no request.
        StorageFault: the disk failed; what was there stays.
    """
    return ServeCertificate(config).ask_with(asked)


def take(config: Config, kind: str, text: str) -> None:
    """Hand a document over, to be verified and kept: `evidence`, `fleet` or `serve`.

    Raises:
        NotGenuine: it does not count.
        NotNow: try again.
    """
    answer = _ask(config, {"offer": kind, "text": text})
    if answer is not None:
        result = OfferResult.read(answer)
    else:
        with _instead_of_capture(config) as evidence:
            keepers: dict[str, Callable[[str], OfferResult]] = {
                "evidence": evidence.offer,
                "fleet": CurrentFleet(config, TrustStore(Layout.of(config.state))).offer,
                "serve": ServeCertificate(config).offer,
            }
            result = keepers[kind](text)
    if result.error is not None:
        is_for_later = kind != "fleet" and result.retry  # a fleet document may always come again
        failure = NotNow if is_for_later else NotGenuine
        raise failure(f"capture does not take it: {result.error}")


def _ask(config: Config, line: Line) -> Line | None:
    return control.ask(Layout.of(config.state).capture_socket, line, _TIMEOUT_S)


@contextmanager
def _instead_of_capture(config: Config) -> Iterator[Evidence]:
    layout = Layout.of(config.state)
    with lock(layout.capture_lock, exclusive=True, wait=False):
        yield Evidence(config, device_key(layout)[0])
