"""Debounce: one press per push of the button, whatever the contact does."""

from itertools import pairwise, zip_longest

from hypothesis import given
from hypothesis import strategies as st

from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.debounce import LOCK_OUT_NS, STABLE_NS, Debounce

MS = 1_000_000
Edge = tuple[int, bool]


def play(edges: list[Edge], until_ns: int | None = None) -> list[ButtonEvent]:
    """Feed the edges and settle whenever something is due, as a timer would."""
    debounce = Debounce(ButtonName.PHOTO)
    events = []
    for (time_ns, level), after in zip_longest(edges, edges[1:]):
        events += debounce.edge(time_ns, level)
        limit_ns = after[0] - 1 if after else until_ns
        while (due_ns := debounce.due_ns) is not None and (limit_ns is None or due_ns <= limit_ns):
            events += debounce.settle(due_ns)
    return events


def changes(events: list[ButtonEvent]) -> list[ButtonChange]:
    return [event.change for event in events]


def alternating(times_ns: list[int]) -> list[Edge]:
    return [(time_ns, index % 2 == 0) for index, time_ns in enumerate(times_ns)]


@st.composite
def pushes(draw: st.DrawFn) -> tuple[list[Edge], list[int], list[int]]:
    """True presses that bounce at both ends, not too long; when each began and ended."""
    edges: list[Edge] = []
    presses_ns: list[int] = []
    releases_ns: list[int] = []
    time_ns = draw(st.integers(1, 10**12))
    for _ in range(draw(st.integers(1, 5))):
        presses_ns.append(time_ns)
        held_ns = draw(st.integers(2 * STABLE_NS, 3_000 * MS))
        releases_ns.append(time_ns + held_ns)
        for level, start_ns in ((True, time_ns), (False, time_ns + held_ns)):
            offsets = draw(st.lists(st.integers(1, STABLE_NS - 1), max_size=8, unique=True))
            bounces = sorted(offsets)[: len(offsets) // 2 * 2]
            edges += [
                (start_ns + offset, level if index % 2 == 0 else not level)
                for index, offset in enumerate([0, *bounces])
            ]
        gap_ns = draw(st.integers(2 * STABLE_NS, 2_000 * MS))
        time_ns += max(held_ns + gap_ns, LOCK_OUT_NS + STABLE_NS)
    return edges, presses_ns, releases_ns


@given(pushes())
def test_each_push_is_one_press_with_its_first_edge_and_one_release(
    push: tuple[list[Edge], list[int], list[int]],
) -> None:
    """However it bounces, a push is touched, pressed and released once, dated by its first edge."""
    edges, presses_ns, releases_ns = push

    events = play(edges)

    told = [ButtonChange.TOUCHED, ButtonChange.PRESSED, ButtonChange.RELEASED] * len(presses_ns)
    assert changes(events) == told
    assert [event.edge_ns for event in events if event.change is ButtonChange.TOUCHED] == presses_ns
    assert [event.edge_ns for event in events if event.change is ButtonChange.PRESSED] == presses_ns
    assert [
        event.edge_ns for event in events if event.change is ButtonChange.RELEASED
    ] == releases_ns


@given(st.lists(st.tuples(st.integers(0, 400 * MS), st.booleans()), max_size=60))
def test_events_keep_their_order_whatever_the_line_does(steps: list[tuple[int, bool]]) -> None:
    """PRESSED or GLITCH after TOUCHED, RELEASED after PRESSED; presses keep the lock-out."""
    time_ns, edges = 0, []
    for step_ns, level in steps:
        time_ns += step_ns
        edges.append((time_ns, level))
    allowed = {
        (ButtonChange.TOUCHED, ButtonChange.PRESSED),
        (ButtonChange.TOUCHED, ButtonChange.GLITCH),
        (ButtonChange.PRESSED, ButtonChange.RELEASED),
        (ButtonChange.GLITCH, ButtonChange.TOUCHED),
        (ButtonChange.RELEASED, ButtonChange.TOUCHED),
    }

    events = play(edges)

    assert changes(events)[:1] in ([], [ButtonChange.TOUCHED])
    assert set(pairwise(changes(events))) <= allowed
    presses_ns = [event.edge_ns for event in events if event.change is ButtonChange.PRESSED]
    assert all(later - earlier >= LOCK_OUT_NS for earlier, later in pairwise(presses_ns))


@given(pushes(), st.integers(0, 2**32))
def test_what_is_told_does_not_depend_on_a_late_timer(
    push: tuple[list[Edge], list[int], list[int]], skip: int
) -> None:
    """With the timer missing any of its calls, the same events come, only later."""
    edges, *_ = push
    debounce = Debounce(ButtonName.PHOTO)
    events = []
    for index, (time_ns, level) in enumerate(edges):
        if skip >> (index % 32) & 1:
            events += debounce.settle(time_ns - 1)
        events += debounce.edge(time_ns, level)
    while (due_ns := debounce.due_ns) is not None:
        events += debounce.settle(due_ns)

    assert events == play(edges)


def test_a_spike_is_a_glitch_dated_by_its_edge() -> None:
    """A level that did not stand is no press, and says so, so that the light goes out."""
    events = play([(100 * MS, True), (102 * MS, False)])

    assert changes(events) == [ButtonChange.TOUCHED, ButtonChange.GLITCH]
    assert {event.edge_ns for event in events} == {100 * MS}


def test_a_press_counts_when_it_was_stable_and_not_before() -> None:
    """The due time is the last bounce plus the stable time."""
    debounce = Debounce(ButtonName.PHOTO)
    debounce.edge(0, True)
    debounce.edge(3 * MS, False)
    debounce.edge(4 * MS, True)

    assert debounce.due_ns == 4 * MS + STABLE_NS
    assert debounce.settle(4 * MS + STABLE_NS - 1) == []
    assert changes(debounce.settle(4 * MS + STABLE_NS)) == [ButtonChange.PRESSED]


def test_a_finger_that_slips_within_the_lock_out_is_still_the_same_press() -> None:
    """Off and on again within 300 ms: one press, held until it is let go for good."""
    events = play([(0, True), (80 * MS, False), (150 * MS, True), (2_500 * MS, False)])

    assert changes(events) == [ButtonChange.TOUCHED, ButtonChange.PRESSED, ButtonChange.RELEASED]
    assert events[-1].edge_ns == 2_500 * MS


def test_a_held_button_is_not_released() -> None:
    """Nothing is due while it is down, even if the contact flutters."""
    edges = [(0, True), (1_000 * MS, False), (1_001 * MS, True)]

    assert changes(play(edges)) == [ButtonChange.TOUCHED, ButtonChange.PRESSED]


def test_a_button_down_at_the_start_is_no_press() -> None:
    """The first edge of a stuck button is its release."""
    assert play([(0, False)]) == []


def test_alternating_noise_without_a_stable_level_is_one_glitch() -> None:
    """A buzzing line lights the lamp once, not once per edge."""
    events = play(alternating(list(range(0, 40 * MS, 2 * MS))))

    assert changes(events) == [ButtonChange.TOUCHED, ButtonChange.GLITCH]
