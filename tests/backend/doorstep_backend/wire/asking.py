"""The way from the event loop to an engine: in a thread, and for no longer than is waited for."""

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Final, ParamSpec, TypeVar

from anyio import fail_after, to_thread

from doorstep_backend.engines.unavailable import Unavailable
from doorstep_backend.wire.outage import note_away

WITHIN_S: Final = 2.8
"""Longest wait for a turn and an answer: a device gets 503 in 3 s."""

PEOPLES_THREADS: Final = 6
"""Questions of people's pages at once: each may hold one connection, and ask on another one
(HOLDERS in engines/opening.py).
"""

_PEOPLE: Final = ThreadPoolExecutor(PEOPLES_THREADS, "page")

P = ParamSpec("P")
Result = TypeVar("Result")


async def in_thread(ask: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return or raise what `ask` does, from a thread: others are served meanwhile.

    Raises:
        Unavailable: it took too long. What was begun goes on, within the limits of its engine,
            which it says in the log: it is asked for again, and a row or an object does not mind.
    """
    return await _answer(
        partial(to_thread.run_sync, abandon_on_cancel=True), partial(ask, *args, **kwargs)
    )


async def in_page_thread(ask: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return or raise what `ask` does for a page; such questions wait for each other.

    A page is one question as a whole. Only what takes long by itself is asked in parts: a password,
    the copy of a photo, the fleet, the chains of a device.
    """
    in_turn = partial(get_running_loop().run_in_executor, _PEOPLE)
    return await _answer(in_turn, partial(ask, *args, **kwargs))


async def _answer(
    in_a_thread: Callable[[Callable[[], Result]], Awaitable[Result]], ask: Callable[[], Result]
) -> Result:
    gave_up = Event()

    def told() -> Result:
        try:
            return ask()
        except Unavailable as error:
            if gave_up.is_set():
                note_away(error)
            raise

    try:
        with fail_after(WITHIN_S):
            return await in_a_thread(told)
    except TimeoutError as error:
        gave_up.set()
        raise Unavailable(f"no answer within {WITHIN_S:g} s: why may follow") from error
