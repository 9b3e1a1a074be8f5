"""What the stages read out of other programs' words."""

from tests.system.qemu.storms import shares, steady
from tests.system.qemu.suites import passes


def test_a_suite_that_tried_nothing_did_not_pass() -> None:
    assert passes(0, "12 passed in 3.4s")
    assert not passes(0, "14 skipped in 0.4s")
    assert not passes(5, "no tests ran in 0.01s")
    assert not passes(1, "1 failed, 11 passed in 3.4s")


def test_the_time_of_each_light_counts_from_the_moment_that_is_asked_for() -> None:
    lights = [(0.0, "amber"), (10.0, "red"), (30.0, "dark"), (40.0, "red")]

    assert shares(lights, 20.0) == {"red": 0.5, "dark": 0.5}


def test_a_light_that_only_flickers_is_not_steady() -> None:
    lights = [(0.0, "amber"), (10.0, "red"), (10.2, "amber"), (20.0, "red")]

    assert steady(lights, "red", 0.0, now_s=20.5) is None
    assert steady(lights, "red", 0.0, now_s=22.0) == 20.0
    assert steady(lights, "red", 21.0, now_s=22.0) is None
