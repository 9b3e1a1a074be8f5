"""Doctor's checks of the devices: asked of a running capture, otherwise opened here."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any, Final

from agent.capture import testcard
from agent.capture.duties import FIX_NOW_S
from agent.capture.technician import kept_route, why_not_look
from agent.command.doctor import groups_check
from agent.command.doctor.finding import Finding, Level
from agent.command.state_access import floor
from agent.config import Config
from agent.errors import DoorstepError, ExitCode, NotNow
from agent.process import control
from agent.queue.disk import lock
from agent.queue.paths import Layout
from agent.status.reading import CaptureReport
from agent.status.values import NOT_IN_DOCUMENT, PartFailed
from hardware.board import Board, open_board
from hardware.clock import BUILT
from hardware.clock_system import SystemClock
from hardware.errors import DeviceBusy, DeviceError
from hardware.motion import Motion
from hardware.position import Position
from hardware.settings import PowerSettings

POSITION_WAIT_S: Final = 5.0
"""Time that a receiver just opened may take to report. Source: gpsd reports once a second."""

MOTION_WAIT_S: Final = 2.0
"""Longest wait for a motion sensor: a second without a reading is its fault."""

LOOK_S: Final = 20.0
"""Longest wait for a test card's figures: capture answers within 15 s."""

STARTS: Final = (
    "capture is starting, and does not answer yet: run this again; where that does not end, "
    "`journalctl -u doorstep-capture` says why"
)

HELD: Final = (
    "capture is that where it is starting, or shows red since it cannot: "
    "`journalctl -u doorstep-capture` says why"
)

NO_FRAMES: Final = (
    "it is open and gives no frames, so presses are refused: switch the device off, and press both "
    "ends of the camera's ribbon home"
)

NO_GAUGE: Final = (
    "no gauge is seen: the device ends without a warning when its battery does; where it has one, "
    "look at `ls /sys/class/power_supply`, and at config.txt"
)

NO_MOTION: Final = (
    "look at its wires, and at its line in config.txt, then restart the device; until then the "
    "camera streams wherever a stop is in reach, which takes charge and loses no photo"
)

NOT_MEASURED: Final = (
    "look at its cable, at `ls /sys/class/power_supply`, at "
    "`grep . /sys/class/hwmon/*/name /sys/bus/iio/devices/*/name`, at config.txt, and at [power] "
    "and [motion] in the configuration"
)

NO_FIX: Final = (
    "the receiver works, and has no fix: that is normal indoors; under the open sky a fix takes "
    "a minute, otherwise look at its antenna"
)


def findings(
    config: Config, running: CaptureReport | PartFailed | None, *, looks: bool
) -> Iterator[Finding]:
    """Check all devices; with `looks` the camera looks at a test card.

    Args:
        config: the whole of it.
        running: capture's report on itself; None if it does not run.
        looks: True to take a frame, which is measured and dropped.
    """
    if running is None:
        yield from _opened(config, looks=looks)
    elif isinstance(running, PartFailed):
        yield Finding("devices", Level.FAILED, f"capture cannot be asked: {running.error}")
    else:
        part = running.part
        ready = "is ready" if part.ready else "is not ready; see below"
        level = Level.OK if part.writable else Level.FAILED
        yield Finding("devices", level, f"capture runs and {ready}")
        trouble = None if part.position in {"ok", NOT_IN_DOCUMENT} else str(part.position)
        yield from _position(trouble, running.has_fix)
        if running.frames_come is False:
            yield Finding("camera", Level.FAILED, NO_FRAMES)
        yield _battery(running.battery_pct, PowerSettings())  # what is silent is in its report
        yield from _energy(running.watts, PowerSettings())
        if part.energy not in {"ok", NOT_IN_DOCUMENT}:
            yield Finding("energy", Level.FAILED, f"{part.energy}; {NOT_MEASURED}")
        if looks:
            yield from _asked(config)


def _opened(config: Config, *, looks: bool) -> Iterator[Finding]:
    if closed := groups_check.of_the_devices(config):
        yield from (Finding("groups", Level.FAILED, words) for words in closed)
        return
    with ExitStack() as opened:
        try:
            _keep_capture_off(config, opened)
            board = open_board(config.board, None, BUILT)  # a simulated world that leaves no file
        except NotNow:
            yield Finding("devices", Level.FAILED, STARTS)
            return
        except DeviceError as error:
            held = f"; {HELD}" if isinstance(error, DeviceBusy) else ""
            yield Finding("devices", Level.FAILED, f"{error}{held}")
            return
        opened.enter_context(closing(board))
        yield Finding("devices", Level.OK, "all open; capture does not run")
        trouble = _trouble(board.position)
        yield from _position(trouble, trouble is None and _has_fix(board.position))
        power = board.power.read()
        yield _battery(power.battery_pct, config.power)
        yield from _energy(power.watts, config.power)
        if config.motion.kind != "none":
            yield _motion(board.motion)
        if looks:
            yield from _looked(config, board)


def _keep_capture_off(config: Config, opened: ExitStack) -> None:
    """Keep capture from starting now: it would find the pins taken."""
    path = Layout.of(config.state).capture_lock
    if os.access(path, os.R_OK, effective_ids=True):  # not another user's
        opened.enter_context(lock(path, exclusive=True, wait=False))


def _trouble(position: Position) -> str | None:
    """Return why the receiver gives no fixes; wait for the first report, and for a fix."""
    until_s = time.monotonic() + POSITION_WAIT_S
    while (trouble := position.trouble()) or not _has_fix(position):
        if time.monotonic() >= until_s:
            break
        time.sleep(0.1)
    return trouble


def _has_fix(position: Position) -> bool:
    fix = position.last_fix()
    return fix is not None and time.monotonic_ns() - fix.received_ns <= FIX_NOW_S * 1e9


def _position(trouble: str | None, has_fix: bool | None) -> Iterator[Finding]:
    """Report a missing receiver as a fault, one without a fix as a note, and nothing for None."""
    if trouble is not None:
        yield Finding("position", Level.FAILED, trouble)
    elif has_fix is not None:
        yield Finding(
            "position", *((Level.OK, "there is a fix") if has_fix else (Level.NOTE, NO_FIX))
        )


def _battery(level_pct: int | None, settings: PowerSettings) -> Finding:
    """Report the battery; a missing gauge is a fault only if one is built in."""
    if level_pct is None:
        return Finding("battery", Level.FAILED if settings.gauge else Level.NOTE, NO_GAUGE)
    return Finding("battery", Level.OK, f"{level_pct} %")


def _motion(motion: Motion) -> Finding:
    """Report the motion sensor; wait for its first reading."""
    until_s = time.monotonic() + MOTION_WAIT_S
    while motion.lifted() is None and time.monotonic() < until_s:
        time.sleep(0.05)
    if trouble := motion.trouble():
        return Finding("motion", Level.FAILED, f"motion.kind: {trouble}; {NO_MOTION}")
    return Finding("motion", Level.OK, "the sensor answers")


def _energy(watts: float | None, settings: PowerSettings) -> Iterator[Finding]:
    """Report what the device takes now, if a current sensor is built in."""
    if settings.current_sensor and watts is None:
        words = f"no current sensor {settings.current_sensor} answers; {NOT_MEASURED}"
        yield Finding("energy", Level.FAILED, words)
    elif watts is not None:
        yield Finding("energy", Level.OK, f"the device takes {watts:.2f} W now")


def _asked(config: Config) -> Iterator[Finding]:
    """Ask capture, which has the camera, for its look at a test card; its answer is input."""
    socket = Layout.of(config.state).capture_socket
    try:
        told = control.ask(socket, {"test_card": True}, LOOK_S)
    except DoorstepError as error:
        level = Level.LATER if error.exit_code == ExitCode.LATER else Level.FAILED
        yield Finding("camera", level, str(error))
        return
    if told is None:
        yield Finding("camera", Level.LATER, "capture has ended meanwhile: run this again")
        return
    yield from _judged(config, told)


def _looked(config: Config, board: Board) -> Iterator[Finding]:
    """Look at a test card; the device is not in use, since no process serves presses."""
    try:
        clock = SystemClock(floor(Layout.of(config.state)))
        if why_not := why_not_look(kept_route(config, clock), is_nobody_at_work=True):
            yield Finding("camera", Level.LATER, why_not)
            return
        told = testcard.look(board.camera, config)
    except (DeviceError, DoorstepError) as error:
        yield Finding("camera", Level.FAILED, str(error))
        return
    yield from _judged(config, told)


def _judged(config: Config, told: dict[str, Any]) -> Iterator[Finding]:
    try:
        found = list(testcard.judged(told, config.quality))
    except (KeyError, TypeError, ValueError):
        yield Finding(
            "camera", Level.FAILED, "capture answered something else than figures of a frame"
        )
        return
    for number, (level, words) in enumerate(found):
        yield Finding("camera", Level[level], words, {} if number else told)
