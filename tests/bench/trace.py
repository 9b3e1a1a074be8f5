"""Times what the product calls, from outside: functions are replaced while a block runs."""

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """One call, or one step of a generator; times are CLOCK_MONOTONIC ns."""

    name: str
    began_ns: int
    ended_ns: int
    value: Any

    @property
    def ms(self) -> float:
        return (self.ended_ns - self.began_ns) / 1e6

    def is_within(self, other: "Span") -> bool:
        is_earlier = other.began_ns <= self.began_ns
        return other is not self and is_earlier and self.ended_ns <= other.ended_ns


class Trace:
    """The spans since the last `clear`; one thread presses at a time."""

    def __init__(self) -> None:
        self._spans: list[Span] = []

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

    def clear(self) -> None:
        self._spans.clear()

    def all(self, *names: str) -> list[Span]:
        """Return the spans with these names that are not within another one of them."""
        found = [span for span in self._spans if span.name in names]
        return [span for span in found if not any(span.is_within(other) for other in found)]

    def last(self, name: str) -> Span:
        return self.all(name)[-1]

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began_ns = time.monotonic_ns()
            value = call(*args, **kwargs)
            self._spans.append(Span(name, began_ns, time.monotonic_ns(), value))
            return value

        return timed


def total_ms(spans: Iterable[Span]) -> float:
    return sum(span.ms for span in spans)
