"""A press has one snapshot: later readings of the devices change nothing of it."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.rule.manifest import PhotoRule
from agent.rule.scanning import WITHIN_M
from hardware.board import Board
from hardware.clock import Moment
from hardware.clock_system import SystemClock
from hardware.position import Fix
from hardware.settings import BoardSettings
from tests.support.benchtop import Parts, SetPosition
from tests.support.fleet import ALLOWED, HOME, NEXT, round_of, scan
from tests.support.roads import apart_m, stop_at


class Leaping(SetPosition):
    """A receiver whose next fix is far from the last one, as soon as it was asked."""

    leap: Fix | None = None

    def last_fix(self) -> Fix | None:
        told = self.fix
        if self.leap is not None:
            self.fix = self.leap
        return told


class Hurrying(SystemClock):
    """A clock that is `step` later each time it is asked."""

    step = timedelta(0)
    ahead = timedelta(0)

    def at(self, monotonic_ns: int) -> Moment:
        moment = super().at(monotonic_ns)
        self.ahead += self.step
        return replace(moment, utc=moment.utc + self.ahead - self.step)


class HurryingParts(Parts):
    """A board with such a clock."""

    def open(self, settings: BoardSettings, run_dir: Path, floor: datetime) -> Board:
        board = super().open(settings, run_dir, floor)
        self.clock = Hurrying(floor, lambda: self.witness)
        return replace(board, clock=self.clock, parts=ExitStack())


def test_the_fix_that_keeps_the_code_is_the_one_that_is_recorded(tmp_path: Path) -> None:
    """A label speaks near where it was read, by the same fix that the record names."""
    position = Leaping()
    parts = Parts(position=position)
    forbidden = stop_at(NEXT, 5, PhotoRule.NO_PHOTO)
    with round_of(tmp_path, ALLOWED, forbidden, parts=parts) as device:
        scan(device, "C1")
        here = parts.fix()
        position.leap = replace(here, lat_deg=NEXT[0], lon_deg=NEXT[1])
        record = device.press()["record"]

    assert record["stop"]["bound_by"] == "code"
    place = (record["position"]["lat_deg"], record["position"]["lon_deg"])
    assert apart_m(place, HOME) < WITHIN_M


@pytest.mark.parametrize("step_h", [1.4, 2.1, 2.9, 3.5, 5.9, 7.0])
def test_the_manifest_in_a_record_is_the_one_that_decided(tmp_path: Path, step_h: float) -> None:
    """At noon, the manifest ends at 18:00, while the press is served or before."""
    parts = HurryingParts()
    with round_of(tmp_path, ALLOWED, parts=parts) as device:
        assert isinstance(parts.clock, Hurrying)
        parts.clock.step = timedelta(hours=step_h)
        reply = device.press()

    record, pressed = reply["record"], datetime.fromisoformat(reply["label"]["utc"])
    assert record["manifest"] == (7 if pressed.hour < 18 else "none")
    assert record.get("reason") == (None if pressed.hour < 18 else "manifest_expired")
