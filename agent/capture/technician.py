"""A technician's requests to a device that is not in use: to call, and to look once."""

import logging
import queue
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from os import getuid
from typing import Final

from agent.capture import testcard
from agent.capture.documents import Documents
from agent.capture.duties import QUIET_AFTER_S, Duties
from agent.capture.lights import Light
from agent.capture.socket_presses import Reply
from agent.config import Config, ManifestPolicy
from agent.errors import ExitCode, NotGenuine, NotNow
from agent.process import control
from agent.queue.paths import Layout
from agent.record import receipt
from agent.rule import manifest as manifests
from agent.rule import policy
from agent.rule.manifest import Manifest
from agent.rule.policy import Absent
from agent.trust.keys import manifest_keys
from agent.trust.store import TrustStore
from hardware.board import Board
from hardware.clock import Clock
from hardware.errors import DeviceError
from hardware.indicator import Signal
from hardware.patterns import LOCATE_S

_log = logging.getLogger(__name__)

ASKED: Final = '{"locate": true}, {"test_card": true}'
"""Requests that are possible, for the answer to an unknown one."""

ANSWER_S: Final = 15.0
"""Longest wait for the loop: a press that is served, and then a camera's first frame."""

NOT_YOURS: Final = "`locate` and `doctor --camera` are for root and capture's own user: use sudo"

ROUTE_IN_HAND: Final = (
    "a route is in hand, so a driver may be at work with this device: ask again when it has ended"
)

_AT_WORK: Final = (
    "policy.manifest is off, and in the last "
    f"{QUIET_AFTER_S / 60:.0f} minutes a button was pressed or capture began, "
    "so somebody may be at work with this device: ask again later"
)


def why_not_call(route: Manifest | Absent) -> str | None:
    """Return why the device may not blink and sound now, as text; None if it may."""
    return ROUTE_IN_HAND if isinstance(route, Manifest) else None


def why_not_look(route: Manifest | Absent, *, is_nobody_at_work: bool) -> str | None:
    """Return why the camera may not look at a test card now, as text; None if it may.

    Args:
        route: the manifest in force. A fleet without manifests has no route that could end.
        is_nobody_at_work: no press in QUIET_AFTER_S, no process that serves one, or bench mode.
    """
    if isinstance(route, Manifest):
        return ROUTE_IN_HAND
    return _AT_WORK if route is Absent.OFF and not is_nobody_at_work else None


def kept_route(config: Config, clock: Clock) -> Manifest | Absent:
    """Return the manifest in force from the card, for a capture that does not run; changes nothing.

    Raises:
        ConfigError: a key cannot be read.
        StorageFault: this user may not look, or the disk failed.
    """
    if config.policy.manifest is ManifestPolicy.OFF:
        return Absent.OFF
    with suppress(NotGenuine, NotNow):  # then capture has no manifest either
        if (token := TrustStore(Layout.of(config.state)).manifest()) is not None:
            keys = receipt.public(manifest_keys(config))
            found = manifests.read(token, keys, config.device.id)
            return policy.effective_manifest(found, clock.now(), clock.floor)
    return Absent.MISSING


@dataclass(frozen=True, slots=True)
class DiagnosticRequest:
    """A request to the loop, with its deadline and the place for its answer."""

    act: Callable[[], Reply]
    until_ns: int
    reply: "queue.SimpleQueue[Reply]" = field(default_factory=queue.SimpleQueue)


class Technician:
    """The technician's requests, made in any thread and served in the loop's.

    Only the loop may use the devices. `post` gives an errand to the loop; `now_ns` returns
    CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        config: Config,
        board: Board,
        *,
        documents: Documents,
        duties: Duties,
        light: Light,
        post: Callable[[DiagnosticRequest], None],
        now_ns: Callable[[], int],
    ) -> None:
        self._config = config
        self._board = board
        self._documents = documents
        self._duties = duties
        self._light = light
        self._post = post
        self._now_ns = now_ns

    def answer(self, request: Reply, user: str, timeout_s: float = ANSWER_S) -> Reply:
        """Answer `user`'s request once the loop has served it; for any thread."""
        if user not in {control.user_name(0), control.user_name(getuid())}:
            return {"error": NOT_YOURS, "exit": ExitCode.USAGE}
        match request:
            case {"locate": True}:
                act = self._call
            case {"test_card": True}:
                act = self._look
            case _:
                return {"error": f"unknown request; one of: {ASKED}", "exit": ExitCode.USAGE}
        diagnostic = DiagnosticRequest(partial(act, user), self._now_ns() + round(timeout_s * 1e9))
        self._post(diagnostic)
        try:
            return diagnostic.reply.get(timeout=timeout_s)
        except queue.Empty:
            words = f"capture is busy: no answer within {timeout_s:.0f} s; ask again"
            return {"error": words, "exit": ExitCode.LATER}

    def serve(self, diagnostic: DiagnosticRequest) -> None:
        """Serve an errand in the loop's thread, unless its client no longer waits."""
        if self._now_ns() > diagnostic.until_ns:
            return
        try:
            reply = diagnostic.act()
        except NotNow as error:
            reply = {"error": str(error), "exit": error.exit_code}
        diagnostic.reply.put(reply)

    def pressed(self) -> None:
        """Stop blinking and sounding after a press: the device is found."""
        if self._light.shows(Signal.LOCATE):
            self._end_light()

    def _call(self, user: str) -> Reply:
        self._check(why_not_call(self._documents.manifest.in_force()))
        if not self._light.shows(Signal.LOCATE) and not self._light.is_seen(self._now_ns()):
            raise NotNow("the light says what came of a press: ask again in half a minute")
        self._light.show(Signal.LOCATE)
        _log.info("event=locating by=%s seconds=%d", user, LOCATE_S)
        return {"locating_s": LOCATE_S}

    def _look(self, user: str) -> Reply:
        quiet = bool(self._duties.status(self._now_ns())["quiet"])
        route, bench = self._documents.manifest.in_force(), self._config.device.bench_mode
        self._check(why_not_look(route, is_nobody_at_work=quiet or bench))
        _log.info("event=test_card by=%s meaning=one_frame_is_measured_and_not_kept", user)
        self._light.show(Signal.HOLD_STILL)  # people before the camera see it
        try:
            figures = testcard.look(self._board.camera, self._config, self._now_ns)
        except DeviceError as error:
            self._end_light()
            self._duties.camera_failed(error, self._now_ns())
            return {"error": str(error), "exit": ExitCode.FAULT}
        self._end_light()
        return figures

    def _check(self, why_not: str | None) -> None:
        if why_not is not None:
            raise NotNow(why_not)
        if self._duties.ending.has_begun:
            raise NotNow("the capture process is about to end: ask again in a minute")

    def _end_light(self) -> None:
        """Show the idle light at once, and let the sensor rest if the rule wants it."""
        self._light.end(self._now_ns())
        self._duties.due_ns = 0
