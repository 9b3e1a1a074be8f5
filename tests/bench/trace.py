"""Times what the product calls, from outside: functions are replaced while a block runs."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """One call, or one step of a generator; times are CLOCK_MONOTONIC ns."""

    began_ns: int
    ended_ns: int
    value: Any

    @property
    def ms(self) -> float:
        return (self.ended_ns - self.began_ns) / 1e6


class Trace:
    """The calls since the last `clear`, by the name of the function; one thread calls at a time."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Span]] = defaultdict(list)
        self.clear = self.spans.clear

    @contextmanager
    def watching(self, *places: tuple[Any, str]) -> Iterator[None]:
        """Time the attribute of each owner, a module, a class or an object, until the end."""
        with ExitStack() as replaced:
            for owner, name in places:
                original = getattr(owner, name)
                setattr(owner, name, self._timed(name, original))
                replaced.callback(setattr, owner, name, original)
            yield

    @contextmanager
    def watching_steps(self, owner: Any, name: str) -> Iterator[None]:
        """Time each step of the generator that `owner.name` returns, until the end."""
        original = getattr(owner, name)

        def steps(*args: Any, **kwargs: Any) -> Iterator[Any]:
            step = self._timed(name, functools.partial(next, original(*args, **kwargs), None))
            while (found := step()) is not None:
                yield found

        setattr(owner, name, steps)
        try:
            yield
        finally:
            setattr(owner, name, original)

    def last(self, name: str) -> Span:
        return self.spans[name][-1]

    def total_ms(self, *names: str) -> float:
        return sum(span.ms for name in names for span in self.spans[name])

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began_ns = time.monotonic_ns()
            value = call(*args, **kwargs)
            self.spans[name].append(Span(began_ns, time.monotonic_ns(), value))
            return value

        return timed
