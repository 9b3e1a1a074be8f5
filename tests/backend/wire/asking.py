"""The way from the event loop to an engine: in a thread, and for no longer than is waited for."""

from collections.abc import Callable
from threading import Event
from typing import Final, ParamSpec, TypeVar

from anyio import fail_after, to_thread

from tests.backend.engines.away import Away
from tests.backend.wire.outage import note_away

WITHIN_S: Final = 2.8
"""Longest wait for a turn and an answer: a device is told 503 in 3 s."""

P = ParamSpec("P")
Told = TypeVar("Told")


async def asked(ask: Callable[P, Told], *args: P.args, **kwargs: P.kwargs) -> Told:
    """What `ask` returns or raises; others are served meanwhile.

    Raises:
        Away: it took too long. What was begun goes on, within the limits of its engine, which it
            says in the log: it is asked for again, and a row or an object does not mind.
    """
    gave_up = Event()

    def told() -> Told:
        try:
            return ask(*args, **kwargs)
        except Away as error:
            if gave_up.is_set():
                note_away(error)
            raise

    try:
        with fail_after(WITHIN_S):
            return await to_thread.run_sync(told, abandon_on_cancel=True)
    except TimeoutError as error:
        gave_up.set()
        raise Away(f"no answer within {WITHIN_S:g} s: why may follow") from error
