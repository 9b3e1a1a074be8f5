"""`doorstep locate`: the device blinks and sounds, so that it is found among others."""

import argparse
import os
import queue
from contextlib import ExitStack, closing, suppress
from typing import Final

from agent.capture.technician import NOT_YOURS, kept_route, why_not_call
from agent.command.shared import configured, signals
from agent.command.state_access import floor
from agent.config import Config
from agent.errors import ExitCode, FailedElsewhere, NotNow
from agent.process import control
from agent.queue.disk import lock
from agent.queue.paths import Layout
from hardware.clock_system import SystemClock
from hardware.driver import open_part
from hardware.indicator import Signal
from hardware.patterns import LOCATE_S

ANSWER_S: Final = 20.0
"""Longest wait for capture, which answers within 15 s."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep locate`."""
    config = configured(arguments, drivers=True)
    if not _is_ours(config):
        raise FailedElsewhere(NOT_YOURS, ExitCode.USAGE)
    told = control.ask(Layout.of(config.state).capture_socket, {"locate": True}, ANSWER_S)
    if told is None:
        return _without_capture(config)
    print(f"it blinks and sounds for {LOCATE_S} s; a press ends it")
    return ExitCode.DONE


def _is_ours(config: Config) -> bool:
    """Return True if the state is this user's, or does not exist."""
    try:
        return Layout.of(config.state).queue.stat().st_uid == os.geteuid() or os.geteuid() == 0
    except FileNotFoundError:
        return True
    except PermissionError:
        return False


def _without_capture(config: Config) -> int:
    """Use the indicator in this process, until the time is over or Ctrl-C; it ends dark."""
    layout, ended = Layout.of(config.state), queue.SimpleQueue[None]()  # safe in a signal's frame
    if why_not := why_not_call(kept_route(config, SystemClock(floor(layout)))):
        raise NotNow(why_not)
    with ExitStack() as opened:
        if layout.capture_lock.exists():  # else no capture has ever begun here
            opened.enter_context(lock(layout.capture_lock, exclusive=True, wait=False))
        indicator = opened.enter_context(closing(open_part("indicator", config.indicator)))
        told = opened.enter_context(signals(lambda: ended.put(None)))
        words = f"capture does not run: it blinks and sounds for {LOCATE_S} s, or until Ctrl-C"
        print(words, flush=True)
        indicator.show(Signal.LOCATE)
        with suppress(queue.Empty):
            ended.get(timeout=LOCATE_S)
        return ExitCode.INTERRUPTED if told else ExitCode.DONE
