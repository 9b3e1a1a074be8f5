"""The command line: where the configuration may stand, and what wrong words end with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent import __version__
from agent.__main__ import main
from tests.support.device import REPOSITORY, Device, empty_queue


@pytest.fixture
def device(tmp_path: Path) -> Device:
    made = Device(tmp_path)
    empty_queue(tmp_path)
    return made


@pytest.mark.parametrize("words", [["status"], ["queue"], ["queue", "retry", "--all"]])
def test_the_configuration_may_stand_before_and_after_the_command(
    device: Device, words: list[str]
) -> None:
    assert main(["--config", str(device.config), *words]) == 0
    assert main([*words, "--config", str(device.config)]) == 0


def test_the_one_after_the_command_counts(device: Device, tmp_path: Path) -> None:
    wrong = str(tmp_path / "missing.toml")

    assert main(["--config", wrong, "status", "--config", str(device.config)]) == 0
    assert main(["--config", str(device.config), "status", "--config", wrong]) == 2


@pytest.mark.parametrize("verb", ["capture", "sync", "prune", "status", "queue", "config"])
def test_wrong_settings_are_reported_at_once_and_nothing_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    device = Device(
        tmp_path,
        "",
        camera={"kind": "canon", "colour": "red"},
        policy={"manifest": "on"},
        state={"reserve_mb": -1},
        lights={"kind": "gpio"},
    )

    code = main([verb, "--config", str(device.config)])

    told = capsys.readouterr().err
    assert code == 2
    for name in ("camera.kind", "camera.colour", "policy.manifest", "state.reserve_mb", "lights"):
        assert name in told, told
    assert '"canon" is not one of: ' in told
    assert not device.layout.state.exists()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["press"],
        ["queue", "--state", "LOST"],
        ["queue", "--limit", "many"],
        ["queue", "--limit", "0"],
        ["queue", "--after", "many"],
        ["queue", "--after", "9223372036854775808"],
        ["queue", "--after", "9" * 5_000],
        ["queue", "retry", "\udcff"],
        ["status", "--yaml"],
        ["verify"],
    ],
    ids=" ".join,
)
def test_wrong_words_end_with_2_and_the_usage(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 2
    assert "usage: doorstep" in capsys.readouterr().err


def test_the_version_is_that_of_the_records(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])

    assert capsys.readouterr().out == f"doorstep {__version__}\n"


def test_status_loads_neither_opencv_nor_requests(device: Device) -> None:
    """A technician looks often, and a look must not cost a second of a small processor."""
    code = (
        "import sys; from agent.__main__ import main; main(sys.argv[1:]);"
        "print(sorted({'cv2', 'numpy', 'requests', 'sqlite_utils'} & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, "status", "--config", str(device.config)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.endswith("[]\n")
