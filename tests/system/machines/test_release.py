"""Decisions of a deploy: whether a release is fit, and its outcome on a device."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.machines.answers import BAD, SHALLOW, nested
from tests.system.machines.playbooks import make_release, plugin

deploy = plugin("filter_plugins/doorstep_release")

WHEELS = ("doorstep-2026.12.0-py3-none-any.whl", "cv2-5-cp37-abi3-manylinux2014_x86_64.whl")
UNIT = "units/doorstep-capture.service"


def _release(folder: Path, *names: str, name: str = "amd64.tar") -> Path:
    return make_release(folder, dict.fromkeys(names, ""), name)


def test_release_that_is_whole_is_fit(tmp_path: Path) -> None:
    place = _release(tmp_path, *WHEELS, UNIT)

    assert deploy.amiss(str(place)) == ""
    assert deploy.amiss(str(place), "amd64") == ""


def test_missing_version_is_reported(tmp_path: Path) -> None:
    words = deploy.amiss(str(tmp_path / "2026.99.0"))

    assert words.startswith("2026.99.0: there is no such release")


def test_release_without_its_checksums_is_not_whole(tmp_path: Path) -> None:
    place = _release(tmp_path, *WHEELS, UNIT)
    (place / "SHA256SUMS").unlink()

    assert "was not copied whole" in deploy.amiss(str(place))


def test_changed_byte_is_reported(tmp_path: Path) -> None:
    place = _release(tmp_path, *WHEELS, UNIT)
    with (place / "amd64.tar").open("ab") as tar:
        tar.write(b"\0")

    assert "amd64.tar is not what SHA256SUMS says" in deploy.amiss(str(place))


def test_tar_that_is_not_named_is_not_taken(tmp_path: Path) -> None:
    place = _release(tmp_path, *WHEELS, UNIT)
    (place / "SHA256SUMS").write_text("")

    assert "SHA256SUMS does not name amd64.tar" in deploy.amiss(str(place))


def test_device_of_another_architecture_is_reported(tmp_path: Path) -> None:
    place = _release(tmp_path, *WHEELS, UNIT)

    assert "it has no arm64.tar" in deploy.amiss(str(place), "arm64")


def test_wheels_for_another_architecture_are_found(tmp_path: Path) -> None:
    place = _release(tmp_path, *WHEELS, UNIT, name="arm64.tar")

    assert "arm64.tar has wheels of another architecture" in deploy.amiss(str(place), "arm64")


def test_wheel_of_another_version_is_found(tmp_path: Path) -> None:
    place = _release(tmp_path, "doorstep-2026.11.6-py3-none-any.whl", UNIT)

    assert "as its folder is called: call the folder as the version in it" in deploy.amiss(
        str(place)
    )


def test_release_without_units_is_refused(tmp_path: Path) -> None:
    """Earlier wheelhouses had no units."""
    place = _release(tmp_path, *WHEELS)

    assert "amd64.tar has no units" in deploy.amiss(str(place))


@pytest.mark.parametrize(
    ("external", "refused"), [({"external": "0"}, True), ({"external": "1"}, False), ({}, False)]
)
def test_only_a_board_that_says_battery_is_on_its_battery(
    external: dict[str, str],
    refused: bool,
) -> None:
    assert bool(deploy.off_power(external)) is refused


def _doctor(*found: tuple[str, str]) -> str:
    return json.dumps([{"check": check, "level": level, "words": check} for check, level in found])


@pytest.mark.parametrize(
    ("new", "now", "words"),
    [
        ([("queue", "ok")], [("queue", "ok")], ""),
        ([("queue", "FAILED")], [("queue", "ok")], "queue"),
        ([("position", "FAILED")], [("position", "FAILED")], ""),
        ([("backend", "later")], [("backend", "later")], "backend"),
        ([("camera", "later")], [], ""),
    ],
)
def test_only_faults_that_the_current_doctor_does_not_find_count(
    new: list[tuple[str, str]], now: list[tuple[str, str]], words: str
) -> None:
    """An old fault of the device is not caused by the new release."""
    assert deploy.findings(_doctor(*new), "", _doctor(*now)) == words


def test_doctor_that_does_not_run_is_quoted_by_its_last_line() -> None:
    said = "Traceback\n  File x\nModuleNotFoundError: No module named 'nothing'"

    assert deploy.findings("", said, "").endswith("ModuleNotFoundError: No module named 'nothing'")


@pytest.mark.parametrize(
    ("told", "verdict", "counts"),
    [
        ({"release": "2026.12.0", "outcome": "done", "why": ""}, "done", False),
        ({"release": "2026.12.0-0a1b2c3d", "outcome": "done", "why": ""}, "done", False),
        ({"release": "2026.11.6", "outcome": "done", "why": ""}, "not reached", True),
        ({"release": "2026.12.01", "outcome": "done", "why": ""}, "not reached", True),
        ({"release": "2026.12.0", "outcome": "rolled back", "why": "so"}, "rolled back", True),
        ({"release": "2026.11.6", "outcome": "rolled back", "why": "so"}, "not reached", True),
        ({"release": "2026.12.0", "outcome": "under way", "why": ""}, "not reached", True),
        ({"release": "2026.12.0", "outcome": "done"}, "not reached", True),
        ([], "not reached", True),
        ("done", "not reached", True),
    ],
)
def test_only_a_trial_of_this_release_that_ended_well_is_done(
    told: Any,
    verdict: str,
    counts: bool,
) -> None:
    line = deploy.outcome(json.dumps(told), "2026.12.0")

    assert (line["verdict"], line["counts"]) == (verdict, counts)


def test_dishonest_device_fills_no_terminal() -> None:
    told = {"release": "2026.12.0", "outcome": "rolled back", "why": "\x1b[2J" + "so " * 10_000}

    line = deploy.outcome(json.dumps(told), "2026.12.0")

    assert "\x1b" not in line["todo"]
    assert len(line["todo"]) < 600


def test_rollout_ends_after_too_many_failures_in_a_wave() -> None:
    outcomes = {
        name: {"doorstep_deploy_outcome": {"verdict": "rolled back", "counts": True}}
        for name in ("van-1", "van-2")
    }
    outcomes |= {"van-3": {"doorstep_deploy_outcome": {"verdict": "not done", "counts": False}}}
    outcomes |= {"van-4": {}}

    assert deploy.too_many(outcomes, outcomes, 2) == ""
    assert deploy.too_many(outcomes, outcomes, 1) == "van-1, van-2"


def test_changed_release_ends_a_rollout_whatever_may_fail() -> None:
    changed = {"verdict": "not done", "counts": False, "ends": True}
    outcomes = {"van-1": {"doorstep_deploy_outcome": changed}, "van-2": {}}

    assert deploy.too_many(outcomes, outcomes, 99) == "van-1"


def test_tar_that_differs_or_is_gone_is_another_release(tmp_path: Path) -> None:
    tar = _release(tmp_path, *WHEELS, UNIT) / "amd64.tar"
    was = deploy.sha256(str(tar))
    assert deploy.changed(str(tar), was) == ""

    with tar.open("ab") as opened:
        opened.write(b"one more")
    assert "amd64.tar is not what it was when the roll-out began" in deploy.changed(str(tar), was)

    tar.unlink()
    assert "amd64.tar is not what it was when the roll-out began" in deploy.changed(str(tar), was)


@pytest.mark.parametrize("name", BAD)
def test_bad_answer_of_a_device_does_not_crash_a_rollout(name: str) -> None:
    assert deploy.outcome(BAD[name], "2026.12.0") == deploy.lost()
    assert deploy.findings(BAD[name], "it ended", "[]") == "its doctor gave no answer: it ended"
    assert deploy.findings(_doctor(("clock", "ok")), "", BAD[name]) == ""


def test_answer_at_any_depth_is_read_or_refused() -> None:
    for depth in SHALLOW:
        told = f'{{"release": "2026.12.0", "outcome": "done", "why": {nested(depth)}}}'

        assert deploy.outcome(told, "2026.12.0") == deploy.lost()
