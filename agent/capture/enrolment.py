"""Capture's part of an enrolment: its key, and what comes for `trust/`.

A running capture process is asked over its socket; without one, its lock is held meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from agent.capture.device_key import device_key
from agent.capture.evidence import Evidence
from agent.config import Config
from agent.errors import ConfigError, NotGenuine, NotNow
from agent.process import control
from agent.process.control import Line
from agent.queue.disk import lock
from agent.queue.paths import Layout
from agent.record import signing
from agent.trust import fleet
from agent.trust.store import TrustStore

_TIMEOUT_S: Final = 30.0
"""Longest wait for a running capture process: it may be at a press, on a worn card."""


def request(config: Config) -> Line:
    """`{"request": PEM}` for the key that signs records, which is made where there is none."""
    asked = {"request": "evidence"}
    if (answer := _ask(config, asked)) is not None:
        return answer
    Layout.of(config.state).make()
    with _instead_of_capture(config) as evidence:
        return evidence.answer(asked)


def take_evidence(config: Config, text: str) -> None:
    """Hand the evidence certificate over.

    Raises:
        NotGenuine: it does not count.
        NotNow: try again.
        StorageFault: the disk failed.
    """
    answer = _ask(config, {"offer": "evidence", "text": text})
    if answer is not None:
        _check(answer, "evidence certificate")
        return
    with _instead_of_capture(config) as evidence:
        evidence.take(text)


def take_fleet(config: Config, text: str) -> None:
    """Hand the fleet document over. Raises as `take_evidence` does."""
    answer = _ask(config, {"offer": "fleet", "text": text})
    if answer is not None:
        _check(answer, "fleet document")
        return
    if config.identity.fleet_key is None:
        raise ConfigError("identity.fleet_key: missing; identity.mode required needs it")
    pinned = signing.read_public_key(config.identity.fleet_key)
    with _instead_of_capture(config):
        store = TrustStore(Layout.of(config.state))
        store.keep_fleet(fleet.extend(store.fleet(), text, pinned))


def _ask(config: Config, line: Line) -> Line | None:
    return control.ask(Layout.of(config.state).capture_socket, line, _TIMEOUT_S)


def _check(answer: Line, what: str) -> None:
    if answer.get("taken") is not True:
        kind = NotNow if answer.get("again") else NotGenuine
        raise kind(f"{what}: capture does not take it: {answer.get('why')}")


@contextmanager
def _instead_of_capture(config: Config) -> Iterator[Evidence]:
    layout = Layout.of(config.state)
    with lock(layout.capture_lock, exclusive=True, wait=False):
        yield Evidence(config, device_key(layout)[0])
