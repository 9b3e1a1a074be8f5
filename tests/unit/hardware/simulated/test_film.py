"""Scenes drawn beforehand: only those that can be needed, and never a waiter left waiting."""

import time
from collections.abc import Callable, Iterator, Sequence
from threading import Thread

import pytest

from hardware.errors import CameraFailed
from hardware.simulated.film import Film
from hardware.simulated.scenes import Scene

Open = Callable[[Sequence[Scene], bool], Film]


def small(seed: int) -> Scene:
    return Scene(seed=seed, width_px=64, height_px=48)


def big(seed: int) -> Scene:
    return Scene(seed=seed, width_px=1280, height_px=720)


@pytest.fixture
def open_film() -> Iterator[Open]:
    opened = []

    def opener(ahead: Sequence[Scene], may_draw: bool) -> Film:
        film = Film(lambda: ahead, lambda: may_draw)
        opened.append(film)
        return film

    yield opener
    for film in opened:
        film.close()


def test_frames_ahead_are_drawn_and_those_that_passed_are_dropped(open_film: Open) -> None:
    ahead = [small(1), small(2)]
    film = open_film(ahead, True)
    film.strip(small(2))
    assert film.scenes == 2

    ahead[:] = [small(3)]
    film.strip(small(3))
    assert film.scenes == 1


def test_nothing_is_drawn_in_a_quiet_time_unless_a_frame_waits_for_it(open_film: Open) -> None:
    film = open_film([small(1), small(2)], False)

    film.strip(small(2))

    assert film.scenes == 1


def test_a_drawing_that_fails_is_a_failed_camera_with_its_reason(open_film: Open) -> None:
    impossible = big(-1)

    with pytest.raises(CameraFailed, match="could not be drawn: ValueError"):
        open_film([impossible], True).strip(impossible)


def test_close_ends_a_drawing_and_its_waiters(open_film: Open) -> None:
    film = open_film([big(1)], True)
    refused: list[str] = []

    def wait() -> None:
        try:
            film.strip(big(1))
        except CameraFailed as error:
            refused.append(str(error))

    waiter = Thread(target=wait)
    waiter.start()
    began = time.monotonic()
    film.close()
    waiter.join(timeout=5)

    assert len(refused) == 1
    assert time.monotonic() - began < 1


def test_a_closed_film_has_no_scenes(open_film: Open) -> None:
    film = open_film([small(1)], True)
    film.strip(small(1))
    film.close()

    with pytest.raises(CameraFailed, match="ended"):
        film.strip(small(1))
