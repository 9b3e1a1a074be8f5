"""The scenario of an update: after any cut, one whole release is in use."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

from tests.faults.powercut import files
from tests.faults.powercut.promise_log import PromiseLog
from tests.faults.powercut.stage import Stage, digest
from tests.support.device import environment
from tests.system.machines.trial import PROGRAM, part, program

releases, trial = part("release"), program()

UNITS: Final = {
    "1": {"doorstep-capture.service": "capture of 1\n", "doorstep-gone.service": "only 1 has it\n"},
    "2": {"doorstep-capture.service": "capture of 2\n", "doorstep-more.service": "only 2 has it\n"},
    "3": {"doorstep-capture.service": "capture of 3\n", "doorstep-more.service": "3 has it too\n"},
}
"""Units of each release by its name; the first one, installed by hand, keeps none."""

ALIEN: Final = {"doorstep-trial.service": "of the trial\n", "ssh.service": "not ours\n"}
"""Units that belong to no release, and stay."""

RELEASE: Final = "the device's own release"
"""The name, among the promises, of what a trial may change."""


PROVISIONED: Final = "the release that is put in place without a trial"
"""The name for what provisioning changes; it continues after an interruption."""

_RUN: Final = """
import runpy, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import release
trial = runpy.run_path(sys.argv[1] + "/__main__.py", run_name="trial")
trial["run"](release.Places(*map(Path, sys.argv[2:])))
"""
"""Start of the trial's program, with the places of all files."""


def update(stage: Stage) -> None:
    """Try a release that stays, make room, try one that goes back, and put that in place."""
    places = _places(stage)
    _set_up(places)
    for name in UNITS:
        _note(stage, places, name)
    stage.change(RELEASE, 0, "1")
    stage.begin()
    with redirect_stdout(StringIO()):
        _ask(places, "2")
        releases.begin(places, _release(places, "2"))
        _promise(stage, "2", lambda: releases.stay(places, ""))
        trial["main"](["room", str(_release(places, "3"))], places)
        _ask(places, "3")
        releases.begin(places, _release(places, "3"))
        releases.go_back(places, "it lacked it")
        begun = stage.now()
        _promise(stage, "3", lambda: trial["main"](["use", str(_release(places, "3"))], places))
        stage.change(PROVISIONED, begun, "3")


def _places(stage: Stage) -> Any:
    """Return the trial's paths: on the disk that is cut, except files that a boot forgets."""
    run = stage.folder / "booted"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    return releases.Places(stage.disk / "opt", stage.disk / "units", run)


def _release(places: Any, name: str) -> Path:
    return Path(places.opt / "releases" / name)


def _set_up(places: Any) -> None:
    """Set up a device with the first release in use, and two more releases installed whole."""
    for name, units in UNITS.items():
        folder = _release(places, name)
        (folder / "lib").mkdir(parents=True)
        (folder / "lib/agent.py").write_text(name * 6000)
        if name != "1":
            _write(folder / "units", units)
        (folder / ".complete").touch()
    _write(places.units, UNITS["1"] | ALIEN)
    places.current.symlink_to(_release(places, "1"))


def _write(folder: Path, texts: dict[str, str]) -> None:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)


def _note(stage: Stage, places: Any, name: str) -> None:
    files.note(stage, _release(places, name))


def _ask(places: Any, name: str) -> None:
    trial["request"](places, _release(places, name), 0.0)
    places.request.unlink()  # the trial has begun


def _promise(stage: Stage, name: str, change: Callable[[], None]) -> None:
    begun = stage.now()
    change()
    stage.change(RELEASE, begun, name)


def check(stage: Stage, promises: PromiseLog, log_bytes: int, is_real: bool) -> list[str]:
    """Check that a boot starts one whole release and its units, and that the next deploy works."""
    places = _places(stage)
    faults: list[str] = []
    with environment(PATH=str(_stand_in(stage))), redirect_stdout(StringIO()):
        _boot(places, is_real=is_real)
        if len(promises.may_be(PROVISIONED, log_bytes)) > 1:
            trial["main"](["use", str(_release(places, "3"))], places)
        faults += _one_release(promises, log_bytes, places)
        faults += _whole(stage, promises, log_bytes, places)
        before = _seen(stage)
        trial["run"](_places(stage))
        if _seen(stage) != before:
            faults.append("a second boot changes something")
        faults += _next_deploy(places)
    return faults


def _boot(places: Any, *, is_real: bool) -> None:
    """Run the trial as doorstep-trial.service does; in a process of its own if `is_real`."""
    if not is_real:
        trial["run"](places)
        return
    words = [sys.executable, "-IB", "-c", _RUN, PROGRAM, places.opt, places.units, places.run]
    subprocess.run(words, check=True, capture_output=True)


def _stand_in(stage: Stage) -> Path:
    """Return the folder of a systemctl that starts nothing, in place of this machine's own."""
    folder = stage.folder / "bin"
    folder.mkdir(exist_ok=True)
    command = folder / "systemctl"
    if not command.exists():
        command.symlink_to("/bin/true")
    return folder


def _one_release(promises: PromiseLog, log_bytes: int, places: Any) -> Iterator[str]:
    """Check which release runs, with its units, and what the last trial reports."""
    runs, units = _runs(places)
    if runs not in (possible := promises.may_be(RELEASE, log_bytes)):
        yield f"release {runs} is the device's own; promised was {possible}"
    if units != UNITS[runs]:
        yield f"the units of release {runs} are {units}"
    for name, text in ALIEN.items():
        if (places.units / name).read_text() != text:
            yield f"{name} is another"
    if releases.is_under_way(places):
        yield "a trial is still under way"
    last = releases.told(places)  # the second one stayed before the third one was tried
    if last.get("outcome") == releases.DONE and last.get("release") not in {runs, "2"}:
        yield f"release {runs} is the device's own, and told is {last}"


def _runs(places: Any) -> tuple[str, dict[str, str]]:
    return places.current.readlink().name, releases.units_in(places.units)


def _whole(stage: Stage, promises: PromiseLog, log_bytes: int, places: Any) -> Iterator[str]:
    """Check that each release marked whole is whole, and that the one in use is marked."""
    if not (places.current / ".complete").exists():
        yield "the release in use is not whole"
    for mark in places.opt.glob("releases/*/.complete"):
        name = files.name_of(stage, mark.parent)
        for file in (one for one in promises.names() if one.startswith(f"{name}/")):
            path = stage.disk / file
            if not path.is_file() or {digest(path)} != promises.may_be(file, log_bytes):
                yield f"{file} is not as it was, in a release that passes for whole"


def _seen(stage: Stage) -> dict[str, str]:
    """Return all files and links on the disk."""
    return {
        str(path): str(path.readlink()) if path.is_symlink() else digest(path)
        for path in stage.disk.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def _next_deploy(places: Any) -> Iterator[str]:
    """Check that any whole release can be tried, and stays."""
    name = max(one.parent.name for one in places.opt.glob("releases/*/.complete"))
    _ask(places, name)
    releases.begin(places, _release(places, name))
    releases.stay(places, "")
    if _runs(places) != (name, UNITS[name]):
        yield f"release {name} was tried and stays; now {_runs(places)} is the device's own"
