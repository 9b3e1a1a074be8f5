"""When an exposure counts as settled."""

from collections.abc import Sequence

import pytest

from hardware.settling import FALL, MOVE, RESETTLE_STEPS, STEPS, Settling

FRAME_NS = 33_333_333
UNMOVED = [1_000.0] * (STEPS + 1)


def settled(exposures: Sequence[float], light_changed_ns: int = 0) -> bool:
    """Add frames that begin at 0, a thirtieth of a second, and so on."""
    settling = Settling()
    for number, exposure in enumerate(exposures):
        settling.add(number * FRAME_NS, exposure)
    return settling.settled(light_changed_ns)


def test_exposure_settles_after_enough_small_steps() -> None:
    assert settled(UNMOVED)
    assert not settled(UNMOVED[1:])
    assert not settled([])


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("rises", [True, False])
def test_exposure_has_not_settled_after_one_large_step(step: int, *, rises: bool) -> None:
    """Rising and falling steps count alike."""
    for share, expected in ((0.99, rises or step < STEPS - 2), (1.01, False)):
        factor = 1 + MOVE * share if rises else 1 / (1 + MOVE * share)
        moved = [1_000.0] * (step + 1) + [1_000.0 * factor] * (STEPS - step)

        assert settled(moved) is expected
        assert settled([*moved, *moved[-1:] * (step + 1)])


@pytest.mark.parametrize("first", [0.0, 0.5, 1.0])
def test_the_newest_two_steps_fall_little_together(first: float) -> None:
    """A falling exposure may be further from its target than each step shows."""
    for fall, expected in ((FALL * 0.99, True), (FALL * 1.01, False)):
        between, newest = 1_000 / (1 + fall) ** first, 1_000 / (1 + fall)

        assert settled([*UNMOVED, between, newest]) is expected


def test_exposure_that_has_settled_waits_for_its_newest_steps_alone() -> None:
    """The light changed: as soon as the exposure has followed, it has settled again."""
    far = [1_000.0 * 2**step for step in range(5)]

    for again in range(RESETTLE_STEPS):
        assert not settled([*UNMOVED, *far, *far[-1:] * again])
    assert settled([*UNMOVED, *far, *far[-1:] * RESETTLE_STEPS])


def test_frames_before_the_light_was_changed_do_not_count() -> None:
    """Their exposures hardly move, but they suit the light before the change."""
    assert settled([*UNMOVED, *UNMOVED], light_changed_ns=(STEPS + 1) * FRAME_NS)
    assert not settled([*UNMOVED, *UNMOVED], light_changed_ns=(STEPS + 1) * FRAME_NS + 1)
