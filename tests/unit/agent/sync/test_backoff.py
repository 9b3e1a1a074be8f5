"""Back-off: full jitter, capped; what is logged, and when."""

import logging
import random
from collections.abc import Callable

import pytest

from agent.sync.backoff import BACK_OFF_BASE_S, Backoff
from tests.support.sending import NOON


class Highest(random.Random):
    """Dice that always show the most."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


class Lowest(random.Random):
    """Dice that always show the least."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


def test_back_off_doubles_from_one_second_to_300() -> None:
    backoff = Backoff(Highest())

    waits = [backoff.back_off_s(failures) for failures in range(1, 12)]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert backoff.back_off_s(100_000) == 300


def test_jitter_is_full_but_never_nothing() -> None:
    assert 0 < Backoff(Lowest()).back_off_s(9) < 0.01
    waits = [Backoff(random.Random(seed)).back_off_s(9) for seed in range(200)]
    assert min(waits) < 20
    assert max(waits) > 230


def defer(backoff: Backoff) -> None:
    backoff.note_deferred(0.0, "no receipt")


def lose(backoff: Backoff) -> None:
    backoff.note_lost(0.0, "500", None)


def pause(backoff: Backoff) -> None:
    backoff.note_not_let_in(0.0, "403")


def suspect(backoff: Backoff) -> None:
    backoff.note_suspect(0.0, "413", 0)


@pytest.mark.parametrize("answer", [defer, lose, pause])
def test_failures_in_a_row_slow_the_loop_and_a_signature_ends_it(
    answer: Callable[[Backoff], None],
) -> None:
    backoff = Backoff(Highest())

    for wait_s in (1, 2, 4):
        answer(backoff)
        assert backoff.rest_until_s == wait_s
    backoff.note_decision(NOON, delivered=True)
    assert (backoff.rest_until_s, backoff.silent) == (0, 0)
    answer(backoff)
    assert backoff.rest_until_s == 1


def test_request_of_the_backend_counts_for_the_loop() -> None:
    backoff = Backoff(Highest())

    backoff.note_lost(100.0, "busy", 200.0)

    assert backoff.rest_until_s == 300


def test_loop_rests_300_s_at_most_whatever_it_is_asked_for() -> None:
    """Any proxy can say a day; the item alone waits so long."""
    backoff = Backoff(Highest())

    backoff.note_lost(100.0, "busy", 86_400.0)

    assert backoff.rest_until_s == 400
    assert backoff.retry_wait_s(1, 86_400.0) == 86_400


def test_nobody_can_ask_for_less_than_the_own_back_off() -> None:
    """`Retry-After: 0`, or a date that is past, must not make a storm."""
    backoff = Backoff(Highest())

    for wait_s in (1, 2, 4):
        backoff.note_lost(100.0, "busy", 0.0)
        assert backoff.rest_until_s == 100 + wait_s
    assert backoff.retry_wait_s(5, 0.0) == backoff.retry_wait_s(5, None) == 16


@pytest.mark.parametrize("answer", [defer, lose, suspect])
def test_any_other_answer_ends_a_pause(
    answer: Callable[[Backoff], None], caplog: pytest.LogCaptureFixture
) -> None:
    """A 403 of yesterday is not why nothing is sent today."""
    caplog.set_level(logging.INFO)
    backoff = Backoff(Highest())
    pause(backoff)

    answer(backoff)
    assert backoff.pause is None
    answer(backoff)
    backoff.note_decision(NOON, delivered=True)

    assert caplog.text.count("event=resumed") == 1


def test_link_news_shorten_the_wait_but_not_in_a_storm() -> None:
    """A flapping link must not turn back-off into a storm, nor must a cell full of devices."""
    backoff = Backoff(Highest())
    backoff.note_lost(100.0, "silent", 50.0)

    backoff.link_news(100.0)
    assert backoff.rest_until_s == 100.5
    backoff.note_lost(101.0, "silent", 50.0)
    backoff.link_news(102.0)
    assert backoff.rest_until_s == 151
    backoff.link_news(105.0)
    assert backoff.rest_until_s == 106


@pytest.mark.parametrize(("news_s", "rest_until_s"), [(1100.0, 1250), (1299.0, 1300)])
def test_tries_are_spread_when_the_network_is_back_but_no_wait_becomes_longer(
    news_s: float, rest_until_s: float
) -> None:
    """The longer the network was away, the wider."""
    backoff = Backoff(Highest())
    for _ in range(20):
        backoff.note_lost(1000.0, "silent", None)

    backoff.link_news(news_s)

    assert backoff.rest_until_s == rest_until_s


def test_suspect_waits_five_minutes_doubling_to_a_day() -> None:
    backoff = Backoff(Highest())

    waits = [backoff.note_suspect(0.0, "413", before) for before in range(11)]

    assert waits[:4] == [300, 600, 1200, 2400]
    assert waits[-1] == waits[-2] == 86_400
    assert backoff.note_suspect(0.0, "413", 100_000) == 86_400


def test_two_suspects_slow_nobody_three_in_a_row_do() -> None:
    """Then it is no record's fault, and each would cost a POST."""
    backoff = Backoff(Highest())

    backoff.note_suspect(0.0, "404", 0)
    backoff.note_suspect(0.0, "404", 0)
    assert backoff.rest_until_s == 0
    backoff.note_suspect(0.0, "404", 0)
    assert backoff.rest_until_s > 0


def test_log_has_one_line_per_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    backoff = Backoff(Highest())

    backoff.note_decision(NOON, delivered=True)
    backoff.note_decision(NOON, delivered=True)
    for _ in range(5):
        backoff.note_lost(0.0, "silent", None)
    backoff.note_not_let_in(0.0, "401")
    backoff.note_not_let_in(0.0, "401")
    backoff.note_decision(NOON, delivered=False)
    backoff.log_delivered()

    assert [record.getMessage().split()[0] for record in caplog.records] == [
        "event=delivered",
        "event=link_lost",
        "event=link_back",
        "event=paused",
        "event=resumed",
    ]


def test_a_line_that_moves_records_between_its_cuts_is_not_waited_for_longer_and_longer() -> None:
    backoff = Backoff(Highest())
    for _ in range(9):
        backoff.note_lost(0.0, "cut", None)

    backoff.note_lost(0.0, "cut", None, moved=True)

    assert backoff.rest_until_s == BACK_OFF_BASE_S
    assert backoff.silent == 1
