from collections.abc import Iterator
from types import SimpleNamespace

from tests.bench.trace import Trace


def test_what_is_timed_works_as_before_and_is_put_back() -> None:
    """A benchmark measures the product, and leaves it as it was."""
    trace = Trace()
    part = SimpleNamespace(double=lambda number: 2 * number)
    original = part.double

    with trace.watching((part, "double")):
        assert part.double(21) == 42

    assert part.double is original
    assert [span.value for span in trace.all("double")] == [42]


def test_a_call_within_another_one_of_the_same_group_counts_once() -> None:
    """Otherwise the assessment's own luma would be counted twice."""
    trace = Trace()
    part = SimpleNamespace(inner=lambda: 1)
    part.outer = lambda: part.inner() + 1

    with trace.watching((part, "inner"), (part, "outer")):
        part.outer()
        part.inner()

    assert [span.name for span in trace.all("inner", "outer")] == ["outer", "inner"]


def test_every_step_of_a_generator_is_timed_for_itself() -> None:
    """Frames come one by one; what is done between them is not waiting."""
    trace = Trace()
    camera = SimpleNamespace(take=_frames)

    with trace.watching_steps(camera, "take"):
        assert list(camera.take(3)) == [1, 2, 3]

    assert [span.value for span in trace.all("take")] == [1, 2, 3, None]


def _frames(count: int) -> Iterator[int]:
    yield from range(1, count + 1)
