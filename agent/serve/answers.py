"""The routes: the addresses, and the answers to clients that may ask."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from agent.config import Config
from agent.errors import DoorstepError, NotNow
from agent.models import printable
from agent.queue.paths import Layout
from agent.queue.reader import OutboxReader
from agent.queue.readonly import ReadOnlyDatabase
from agent.serve import captures
from agent.serve.answer import HttpAnswer, refused
from agent.status import kept
from agent.status.document import document, queue_part
from agent.status.values import QueueFailed, QueuePart, Status, compact

_ROUTES: Final = {
    "/v1/status": frozenset[str](),
    "/v1/captures": frozenset({"state", "after", "limit"}),
    "/metrics": frozenset[str](),
}
"""Each address, and its parameters."""


class Answers:
    """The answers about one device.

    Args:
        config: its configuration.
        now: the time, as well as it is known.
    """

    def __init__(self, config: Config, now: Callable[[], datetime]) -> None:
        self._config = config
        self._now = now
        self._layout = Layout.of(config.state)
        self._outbox = OutboxReader(ReadOnlyDatabase(self._layout))

    def answer(self, target: str) -> HttpAnswer:
        """Answer a GET of `target`, an address with its parameters."""
        try:
            address = _split(target)
            allowed = _ROUTES.get(address.path)
            if allowed is None:
                return refused(404, f"nothing is here; there are {', '.join(_ROUTES)}")
            parameters = _parameters(address.query, allowed)
            wanted = captures.page_request(parameters)
        except ValueError as error:
            return refused(400, str(error))
        if address.path == "/v1/status":
            return HttpAnswer(200, compact(self.status()).encode())
        if address.path == "/metrics":
            return self._metrics()
        try:
            return captures.page(self._outbox, wanted, self._now())
        except DoorstepError as error:
            return refused(503, printable(str(error)))

    def status(self) -> Status:
        """Return the status document."""
        return document(self._config, self._queue())

    def _queue(self) -> QueuePart | QueueFailed:
        """Read the queue's part; if the queue is unavailable, the part that capture kept."""
        found = queue_part(self._outbox)
        if isinstance(found, QueueFailed):
            with suppress(NotNow):
                return kept.read_queue(self._layout)
        return found

    def _metrics(self) -> HttpAnswer:
        from agent.status import metrics  # noqa: PLC0415 - 3 MB that only Prometheus needs

        found = self.status()
        samples = metrics.samples(found)
        text = metrics.exposition([(found.device, samples)], metrics.HELP)
        return HttpAnswer(200, text, metrics.CONTENT_TYPE)


def _split(target: str) -> SplitResult:
    try:
        return urlsplit(target)
    except ValueError as error:
        raise ValueError("that is no address") from error


def _parameters(query: str, allowed: frozenset[str]) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise ValueError("the parameters are not NAME=VALUE") from error
    found = dict(pairs)
    if not found.keys() <= allowed or len(found) < len(pairs):
        words = ", ".join(sorted(allowed)) or "none"
        raise ValueError(f"this address has these parameters, each once: {words}")
    return found
