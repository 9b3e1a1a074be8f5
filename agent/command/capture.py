"""`doorstep capture`: its first light, then the process behind it; or one press by command.

This module loads little, because OpenCV, keys and the database take most of the start. A driver
must not believe that a device serves presses while it is starting, or if it cannot start. No import
waits until after the ready light, because it would delay the first press.
"""

# ruff: noqa: PLC0415 - what is loaded after the first light is most of the start

import argparse
import json
import logging
import sys
import time
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Final

from agent.command.shared import become_owner, signals
from agent.config import Config, load, path_of
from agent.errors import ExitCode, NotNow
from agent.models import FAULTS, Reason
from agent.process import control, sd_notify
from agent.process.control import Line
from agent.queue.disk import lock
from agent.queue.paths import Layout
from hardware.driver import open_part
from hardware.errors import DeviceError
from hardware.indicator import Indicator, Signal

_log = logging.getLogger(__name__)

PRESS_TIMEOUT_S: Final = 35.0
"""Longest wait for a running process, which answers within 30 s: `COMMAND_TIMEOUT_S` there."""

FAULT_HELD_S: Final = 20.0
"""Time for which a process that cannot start shows red, before it ends and is started again.

It is the slow retry. Longer, and a camera that was plugged in is found later; shorter, and the
device is dark for more of the time: systemd waits in the dark.
"""

_LOOK_EVERY_S: Final = 0.1
"""Interval at which SIGTERM is noticed meanwhile."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep capture [--once]`."""
    config = load(path_of(arguments.config), drivers=True)
    become_owner(config)
    if not arguments.once:
        return _serve_presses(config)
    socket = Layout.of(config.state).capture_socket
    reply = control.ask(socket, {"press": "photo"}, PRESS_TIMEOUT_S)
    if reply is None:
        from agent.command.capture_process import press_once

        reply = press_once(config)
    return _print_reply(reply)


def _serve_presses(config: Config) -> int:
    with ExitStack() as opened:
        indicator = _indicator(config)
        opened.callback(indicator.close)
        indicator.show(Signal.NOT_READY)
        opened.push(partial(_tell_fault, indicator))
        from agent.command.capture_process import serve

        return serve(config, indicator)


def _indicator(config: Config) -> Indicator:
    """Open the indicator; if another capture process runs, raise NotNow instead of the fault."""
    try:
        opened: Indicator = open_part("indicator", config.indicator)
    except DeviceError:
        held = Layout.of(config.state).capture_lock
        if held.exists():
            with lock(held, exclusive=True, wait=False):
                pass
        raise
    return opened


def _tell_fault(
    indicator: Indicator,
    _kind: type[BaseException] | None,
    error: BaseException | None,
    _traceback: TracebackType | None,
) -> None:
    """Show what keeps the process from serving, a bug too; under systemd for a while.

    At a terminal the command ends at once with its error. A second process shows nothing.
    """
    if not isinstance(error, Exception) or isinstance(error, NotNow):
        return
    _log.error("event=capture_fault error=%r meaning=presses_are_not_served", str(error))
    indicator.show(Signal.FAULT, silent=True)
    if sd_notify.is_started_by_systemd():
        _hold(FAULT_HELD_S)


def _hold(seconds: float) -> None:
    """Wait, and tell systemd that this is meant; SIGTERM ends it."""
    sd_notify.extend_start()  # which asks for longer than that
    ends_s = time.monotonic() + seconds
    with signals(lambda: None) as told:
        while not told and time.monotonic() < ends_s:
            time.sleep(_LOOK_EVERY_S)


def _print_reply(reply: Line) -> int:
    if "error" in reply:
        print(f"doorstep: {reply['error']}", file=sys.stderr)
        return int(reply.get("exit", ExitCode.FAULT))
    print(json.dumps(reply))
    return exit_code(reply)


def exit_code(reply: Line) -> ExitCode:
    """Return the exit code of `capture --once` for a press that left its record."""
    reason = reply["record"].get("reason")
    if reason is not None and reason != Reason.HANDED_OVER:
        return ExitCode.FAULT if reason in FAULTS else ExitCode.REFUSED
    return ExitCode.RETAKE if reply.get("retake") else ExitCode.DONE
