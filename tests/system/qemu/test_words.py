"""The stages read facts out of the output of other programs."""

from tests.system.qemu.storms import shares, steady, unbroken
from tests.system.qemu.suites import passes


def test_suite_that_tried_nothing_did_not_pass() -> None:
    assert passes(0, "12 passed in 3.4s")
    assert not passes(0, "14 skipped in 0.4s")
    assert not passes(5, "no tests ran in 0.01s")
    assert not passes(1, "1 failed, 11 passed in 3.4s")


def test_time_of_each_light_counts_from_the_given_moment() -> None:
    lights = [(0.0, "amber"), (10.0, "red"), (30.0, "dark"), (40.0, "red")]

    assert shares(lights, 20.0) == {"red": 0.5, "dark": 0.5}


def test_light_that_only_flickers_is_not_steady() -> None:
    lights = [(0.0, "amber"), (10.0, "red"), (10.2, "amber"), (20.0, "red")]

    assert steady(lights, "red", 0.0, now_s=20.5) is None
    assert steady(lights, "red", 0.0, now_s=22.0) == 20.0
    assert steady(lights, "red", 21.0, now_s=22.0) is None


def test_light_that_flashes_counts_once_despite_pauses() -> None:
    """A fault is red for 0.7 s of each second; two starts with a longer dark between are two."""
    fault = [(at_s, light) for n in range(3) for at_s, light in ((n, "red"), (n + 0.7, "dark"))]
    lights = [*fault, (5.0, "red"), (5.7, "dark"), (6.0, "amber")]

    assert unbroken(lights) == [
        *((0, "red"), (2.7, "dark"), (5.0, "red"), (5.7, "dark"), (6.0, "amber"))
    ]
    assert steady(unbroken(lights), "red", 0.0, now_s=7.0) == 0
