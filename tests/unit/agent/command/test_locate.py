"""A device is found among others: through a running capture, otherwise by itself."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.technician import ROUTE_IN_HAND
from agent.command import locate
from agent.errors import ExitCode
from agent.process import control
from agent.queue.disk import lock
from tests.support.device import REPOSITORY, Device, device
from tests.unit.agent.command.inprocess import printed, run


@pytest.fixture
def van(tmp_path: Path) -> Iterator[Device]:
    with device(tmp_path) as made:
        yield made


@pytest.mark.slow
def test_a_capture_that_runs_calls_and_goes_on_serving_presses(van: Device) -> None:
    van.start("capture")

    told = van.run("locate")
    pressed = van.press()

    assert (told.returncode, told.stdout) == (0, "it blinks and sounds for 20 s; a press ends it\n")
    assert pressed["label"]["kind"] == "photo"
    assert "event=locating by=" in van.log("capture")
    lights = van.lights()
    assert lights[lights.index("locate") + 1] == "hold_still"


def test_why_capture_refuses_is_one_sentence_and_its_exit_code(
    van: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    van.layout.make()
    refusal = {"error": ROUTE_IN_HAND, "exit": 75}

    with control.serve(van.layout.capture_socket, lambda *_: dict(refusal)):
        code = run(van, "locate")

    assert code == ExitCode.LATER
    assert capsys.readouterr().err == f"doorstep: {ROUTE_IN_HAND}\n"


def test_call_lights_by_itself_without_capture(
    van: Device, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "LOCATE_S", 0.01)

    assert run(van, "locate") == 0
    assert printed(capsys).startswith("capture does not run: it blinks and sounds")
    assert not van.layout.state.exists(), "to look for a device changes nothing on it"


@pytest.mark.slow
def test_ctrl_c_ends_it_and_the_light_is_dark(van: Device) -> None:
    """Pins that are let go while high would stay so."""
    with subprocess.Popen(van.words("locate"), cwd=REPOSITORY, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        running.send_signal(signal.SIGINT)
        try:
            assert running.wait(10) == ExitCode.INTERRUPTED
        finally:
            running.kill()


def test_a_capture_that_is_just_starting_keeps_its_pins(
    van: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    van.layout.make()

    with lock(van.layout.capture_lock, exclusive=True, wait=False):
        code = run(van, "locate")

    assert code == ExitCode.LATER
    assert "held by another process" in capsys.readouterr().err
