"""The simulated world: what is so, when, and after the process was killed."""

import json
import time
from pathlib import Path

import pytest

from hardware.simulated.script import CameraFault, WorldState
from hardware.simulated.world import World, speed_mps
from tests.unit.hardware.simulated.worlds import scripted

S = 1_000_000_000


def test_a_value_by_press_holds_from_the_edge_of_that_press_on(tmp_path: Path) -> None:
    doors = scripted(tmp_path, "[[at]]\npress = 2\ndoor = 7\n[[at]]\npress = 3\nlight = 0.3")
    first, second, third = (doors.began_ns + second * S for second in (10, 20, 30))

    for edge_ns in (first, second, third):
        doors.press(edge_ns)

    assert doors.presses == 3
    assert doors.state(first) == WorldState()
    assert doors.state(second - 1) == WorldState()
    assert doors.state(second) == WorldState(door=7)
    assert doors.state(third) == WorldState(door=7, light=0.3)


def test_the_next_press_can_be_looked_at_before_it_comes(tmp_path: Path) -> None:
    doors = scripted(tmp_path, "[[at]]\npress = 1\ndoor = 7")

    assert doors.state_after_next_press(time.monotonic_ns()).door == 7
    assert doors.state(time.monotonic_ns()).door == 1


def test_the_world_follows_its_script_when_the_file_is_replaced(tmp_path: Path) -> None:
    followed = scripted(tmp_path, "[[at]]\nsecond = 0\nlight = 0.3")
    new = tmp_path / "new.toml"
    new.write_text("[[at]]\nsecond = 0\nlight = 0.5", encoding="utf-8")
    assert followed.state(time.monotonic_ns()).light == 0.3

    new.replace(tmp_path / "world.toml")

    assert followed.state(time.monotonic_ns()).light == 0.5


def test_a_script_that_is_replaced_by_a_wrong_one_holds_and_the_log_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    followed = scripted(tmp_path, "[[at]]\nsecond = 0\nlight = 0.3")
    (tmp_path / "world.toml").write_text("[[at]]\nsecond = 0\nlight = 30", encoding="utf-8")

    assert followed.state(time.monotonic_ns()).light == 0.3
    assert followed.state(time.monotonic_ns()).light == 0.3
    (message,) = caplog.messages
    assert message.startswith("event=script_refused")
    assert "light: 30 is not a light" in message


def test_a_script_that_is_gone_holds(tmp_path: Path) -> None:
    followed = scripted(tmp_path, "[[at]]\nsecond = 0\nlight = 0.3")
    (tmp_path / "world.toml").unlink()

    assert followed.state(time.monotonic_ns()).light == 0.3


def test_last_change_holds_by_press_and_by_second(tmp_path: Path) -> None:
    mixed = scripted(
        tmp_path,
        """
        at = [
            { press = 1, light = 0.5 },
            { second = 5, light = 0.4 },
            { second = 9, light = 1 },
        ]
        """,
    )

    mixed.press(mixed.began_ns + 7 * S)

    seen = [mixed.state(mixed.began_ns + second * S).light for second in (4, 6, 8, 9)]
    assert seen == [1.0, 0.4, 0.5, 1.0]


def test_the_place_moves_on_a_line_between_seconds_and_jumps_by_press(tmp_path: Path) -> None:
    walk = scripted(
        tmp_path,
        """
        [[at]]
        second = 10
        lat_deg = 10.0
        lon_deg = 179.999
        [[at]]
        second = 20
        lat_deg = 10.001
        lon_deg = -179.999
        [[at]]
        press = 1
        lat_deg = -5
        lon_deg = 6
        """,
    )
    walk.press(walk.began_ns + 30 * S)

    places = {
        second: (state.lat_deg, state.lon_deg)
        for second in (9, 10, 15, 29, 30, 60)
        for state in [walk.state(walk.began_ns + second * S)]
    }

    assert places[9] == (WorldState().lat_deg, WorldState().lon_deg)
    assert places[10] == pytest.approx((10.0, 179.999))
    assert places[15] == pytest.approx((10.0005, -180.0))
    assert places[29] == pytest.approx((10.001, -179.999))
    assert places[30] == places[60] == (-5, 6)


def test_the_speed_is_that_of_the_walk(tmp_path: Path) -> None:
    walk = scripted(
        tmp_path,
        "[[at]]\nsecond = 0\nlat_deg = 60\nlon_deg = 5\n"
        "[[at]]\nsecond = 100\nlat_deg = 60\nlon_deg = 5.001",
    )

    assert speed_mps(walk.changes(), walk.began_ns + 50 * S) == pytest.approx(0.556, abs=0.001)
    assert speed_mps(walk.changes(), walk.began_ns + 150 * S) == 0


def test_the_world_goes_on_when_its_process_is_killed(tmp_path: Path) -> None:
    text = "[[at]]\npress = 2\ndoor = 7\n[[at]]\nsecond = 100\nlight = 0.3"
    before = scripted(tmp_path, text)
    before.press(before.began_ns + 1 * S)

    after = scripted(tmp_path, text)
    after.press(before.began_ns + 2 * S)

    assert after.presses == 2
    assert after.began_ns == pytest.approx(before.began_ns, abs=50_000_000)
    assert after.state(after.began_ns + 3 * S).door == 7
    assert after.state(after.began_ns + 101 * S).light == 0.3


@pytest.mark.parametrize(
    "kept", ["", "[]", '{"boot_id": "another", "began_ns": 1, "presses_ns": [1]}']
)
def test_another_boot_or_an_unreadable_place_starts_again(tmp_path: Path, kept: str) -> None:
    (tmp_path / "world.json").write_text(kept, encoding="ascii")

    anew = World(None, tmp_path)

    assert anew.presses == 0
    assert abs(anew.began_ns - time.monotonic_ns()) < S
    assert json.loads((tmp_path / "world.json").read_text())["presses_ns"] == []


def test_a_fault_begins_when_the_script_says_so(tmp_path: Path) -> None:
    ill = scripted(
        tmp_path,
        '[[at]]\nsecond = 5\ncamera = "stall"\n[[at]]\nsecond = 9\ncamera = "none"',
    )
    began = ill.began_ns

    assert ill.first_fault(began, began + 4 * S) is None
    assert ill.first_fault(began, began + 20 * S) == (began + 5 * S, CameraFault.STALL)
    assert ill.first_fault(began + 7 * S, began + 8 * S) == (began + 7 * S, CameraFault.STALL)
    assert ill.first_fault(began + 9 * S, began + 20 * S) is None
