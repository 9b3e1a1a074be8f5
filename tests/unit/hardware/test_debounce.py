"""Debounce: one press per push of the button, whatever the contact does, and both together."""

from itertools import pairwise, zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.debounce import LOCK_OUT_NS, STABLE_NS, Debounce, DebouncedPair

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
def test_gestures_do_not_depend_on_a_late_timer(
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


def test_noise_that_alternates_without_a_stable_level_is_one_glitch() -> None:
    """A buzzing line lights the lamp once, not once per edge."""
    events = play(alternating(list(range(0, 40 * MS, 2 * MS))))

    assert changes(events) == [ButtonChange.TOUCHED, ButtonChange.GLITCH]


# Both buttons

PairEdge = tuple[int, ButtonName, bool]


def play_pair(edges: list[PairEdge]) -> list[ButtonEvent]:
    """Feed the edges of both buttons and settle whenever something is due, as a timer would."""
    pair, events = DebouncedPair(), []
    for (time_ns, button, level), after in zip_longest(edges, edges[1:]):
        events += pair.edge(button, time_ns, level)
        while (due_ns := pair.due_ns) is not None and (after is None or due_ns < after[0]):
            events += pair.settle(due_ns)
    return events


def both(scan_ms: list[int], photo_ms: list[int]) -> list[ButtonEvent]:
    """Return the events of lines that close and open by turns at these milliseconds."""
    lines = ((ButtonName.SCAN, scan_ms), (ButtonName.PHOTO, photo_ms))
    return play_pair(
        sorted(
            (at_ns, button, level)
            for button, times_ms in lines
            for at_ns, level in alternating([at_ms * MS for at_ms in times_ms])
        )
    )


@pytest.mark.parametrize(
    ("scan_ms", "photo_ms", "since_ms"),
    [
        ([1], [500], 1),
        ([101, 103, 105], [600], 101),
        ([1, 101], [201], None),
        ([1, 101, 251], [401], 251),
        ([1, 401, 405], [500], 1),
        ([1, 499, 503], [500], 1),
        ([1, 499], [500], None),
        ([1, 497, 499, 502], [500], None),
        ([1, 501], [500], 1),
        ([1, 503], [500, 502, 506], 1),
        ([1, 1_000, 1_200], [1_250], 1_200),
        ([501, 620], [500], None),
        ([490, 700], [500], 490),
    ],
    ids=[
        "held",
        "a press that bounces",
        "a tap, and its release is not told yet",
        "off and on again in the lock-out",
        "a bounce in a hold",
        "a bounce at the photo button's edge",
        "let go just before",
        "let go just before, and it bounces",
        "let go just after",
        "let go while the photo button bounces",
        "pressed a second time",
        "a thumb that rolls from photo to scan",
        "a thumb that rolls from scan to photo",
    ],
)
def test_a_photo_press_says_since_when_scan_was_down_without_a_break(
    scan_ms: list[int], photo_ms: list[int], since_ms: int | None
) -> None:
    """The first edge of the photo button decides, not the events that were sent by then."""
    (press,) = [
        event
        for event in both(scan_ms, photo_ms)
        if (event.button, event.change) == (ButtonName.PHOTO, ButtonChange.PRESSED)
    ]

    assert press.scan_since_ns == (None if since_ms is None else since_ms * MS)


@pytest.mark.parametrize(
    ("photo_ms", "last"),
    [([500, 502, 506], ButtonChange.PRESSED), ([500, 502], ButtonChange.GLITCH)],
)
def test_release_after_the_photo_buttons_edge_is_reported_after_that_press(
    photo_ms: list[int], last: ButtonChange
) -> None:
    """A release at 501 ms would be due at 513 ms, before the bouncing press at 518 ms."""
    pair, events = DebouncedPair(), []
    lines = {ButtonName.SCAN: [1, 501], ButtonName.PHOTO: photo_ms}
    for at_ms in range(600):
        for button, times_ms in lines.items():
            if at_ms in times_ms:
                level = times_ms.index(at_ms) % 2 == 0
                events += pair.edge(button, at_ms * MS, level)
        events += pair.settle(at_ms * MS)

    assert [(event.button, event.change) for event in events[-2:]] == [
        (ButtonName.PHOTO, last),
        (ButtonName.SCAN, ButtonChange.RELEASED),
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 400 * MS), st.sampled_from(ButtonName), st.booleans()),
        max_size=60,
    )
)
def test_a_pair_tells_of_each_button_what_it_tells_alone(
    steps: list[tuple[int, ButtonName, bool]],
) -> None:
    """Only the order of both may differ: nothing is lost, and nothing is due for ever."""
    time_ns, edges = 0, []
    for step_ns, button, level in steps:
        time_ns += step_ns
        edges.append((time_ns, button, level))

    events = play_pair(edges)

    for button in ButtonName:
        alone = play([(at_ns, level) for at_ns, other, level in edges if other is button])
        told = [(one.change, one.edge_ns) for one in events if one.button is button]
        assert told == [(one.change, one.edge_ns) for one in alone]
