"""The capture process: put together, taken apart, and pressed by command."""

import logging
import os
import pwd
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from agent.capture import dating
from agent.capture.documents import OFFERS, Documents
from agent.capture.loop import CaptureLoop
from agent.capture.record_json import Provenance, chain_start_record
from agent.capture.record_writer import NotQueued, RecordWriter
from agent.capture.socket_presses import FINGER_S, Reply
from agent.capture.technician import ASKED
from agent.command.pruning import prune_now
from agent.command.shared import signals
from agent.command.state_access import floor
from agent.config import Config
from agent.errors import DoorstepError, ExitCode, NotNow, TooManyFiles
from agent.identity.capture_certificates import Evidence
from agent.identity.device_key import device_key, own_keys
from agent.models import CaptureId, ChainHead, RecordKind
from agent.process import control, sd_notify
from agent.queue import labels
from agent.queue.database import Database
from agent.queue.disk import disk_errors, lock
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.queue.queue_repair import QueueRepair
from agent.trust.store import TrustStore
from hardware.board import Board, open_board
from hardware.button import ButtonName
from hardware.clock_system import boot_id
from hardware.errors import DeviceError
from hardware.floor import Floor
from hardware.indicator import Indicator
from hardware.settings import BoardSettings

Opening = Callable[[BoardSettings, Path, datetime], Board]
"""Function from the devices' settings, the run folder and the time floor to open devices."""

_log = logging.getLogger(__name__)

COMMAND_TIMEOUT_S: Final = 30.0
"""Longest answer to a press through the socket: a cold camera, a lamp, and a worn card."""

BUTTON_WAIT_S: Final = 30.0
"""Time for which `capture --once` waits for a device's own button: enough to go and press it."""


def serve(config: Config, indicator: Indicator) -> int:
    """Serve presses until stopped; `indicator` is lit already, and stays its opener's to close."""
    opening = partial(open_board, indicator=indicator)
    with capture_loop(config, opening) as loop, signals(loop.stop):
        path = Layout.of(config.state).capture_socket
        most = control.DOCUMENT_LIMIT_BYTES
        with control.serve(path, partial(answer, loop), limit_bytes=most):
            return loop.run()


def press_once(config: Config) -> Reply:
    """Serve one press, by command or by the device's own button, and return the reply.

    Raises:
        NotNow: the device's own button was not pressed.
        KeyboardInterrupt: it was stopped before.
    """
    replies: list[Reply] = []
    with capture_loop(config) as loop, signals(loop.stop) as ended:

        def take(reply: Reply) -> None:
            replies.append(reply)
            loop.stop()

        loop.on_reply = take
        start = _presser(loop) if loop.takes_commands else threading.Timer(BUTTON_WAIT_S, loop.stop)
        start.daemon = True
        start.start()
        loop.run()
        if isinstance(start, threading.Timer):
            start.cancel()
    if replies:
        return replies[0]
    if ended:
        raise KeyboardInterrupt
    raise NotNow(f"the button was not pressed within {BUTTON_WAIT_S:.0f} s")


def _presser(loop: CaptureLoop) -> threading.Thread:
    return threading.Thread(target=answer, args=(loop, {"press": "photo"}, user()))


@contextmanager
def capture_loop(
    config: Config,
    opening: Opening = open_board,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> Iterator[CaptureLoop]:
    """Build the capture process, ready to run: swept, with a chain, its devices open.

    Args:
        config: the whole of it.
        opening: opens other devices than the configured ones, for tests.
        now_ns: returns CLOCK_MONOTONIC.

    Raises:
        NotNow: another capture process runs.
        StorageFault: the state folder cannot be used.
        DeviceError: a device is missing.
    """
    layout = Layout.of(config.state)
    with disk_errors(f"cannot make the state folder {layout.state}"):
        layout.make()
    with ExitStack() as opened:
        opened.enter_context(lock(layout.capture_lock, exclusive=True, wait=False))
        database = Database(layout, migrates=True)
        opened.callback(database.close)
        outbox = Outbox(database, boot_id())
        key, key_is_new = device_key(layout)
        keys = own_keys(layout)
        repair = QueueRepair(layout, database, outbox, keys, now_ns, alive=sd_notify.extend_start)
        repair.start()
        seen, unread = _labels(layout)
        newest = None if unread else labels.newest_of_each_chain(seen)
        with _pruned_without_devices(config, newest):
            board = opening(config.board, layout.run, floor(layout))
        opened.callback(board.close)
        kept = Floor(board.clock.floor, TrustStore(layout).time().allowance)
        board.clock.move_floor(kept.utc, kept.firm(boot_id()))
        if known := labels.gnss_label(layout, seen, keys, boot_id()):
            board.clock.recall(datetime.fromisoformat(known.utc), known.monotonic_ns)
        last = labels.head(layout, seen, key.public_key(), config.device.id)
        why = unread or _why_new_chain(last, any_record=bool(seen), key_is_new=key_is_new)
        head = ChainHead(str(uuid.uuid4()), 0, None) if last is None or why else last
        dates = dating.of_boot(seen, boot_id())
        documents = Documents(config, TrustStore(layout), board.clock, Evidence(config, key))
        writer = RecordWriter(
            layout,
            outbox,
            key=key,
            device_id=config.device.id,
            head=head,
            seal=documents.fleet.seal,
            newest=newest,
            repair=repair,
        )
        if why:
            _start_chain(board, writer, documents, why)
        yield CaptureLoop(
            config, board, writer, outbox, documents=documents, dates=dates, now_ns=now_ns
        )


@contextmanager
def _pruned_without_devices(
    config: Config, newest: Mapping[str, CaptureId] | None
) -> Iterator[None]:
    """Prune if the block raises: a device whose camera fails must not keep photos for ever."""
    try:
        yield
    except DeviceError:
        if newest is not None:
            with suppress(DoorstepError):  # `doorstep doctor` tells why
                prune_now(config, newest.values())
        raise


def _labels(layout: Layout) -> tuple[list[labels.LabelSummary], str | None]:
    """Return the labels of all records; without them, why: a new chain uses no number twice."""
    try:
        return labels.read_labels(layout, sd_notify.extend_start), None
    except TooManyFiles:
        return [], "records/ has more files than a device makes"


def _start_chain(board: Board, writer: RecordWriter, documents: Documents, why: str) -> None:
    provenance = Provenance(simulated=board.simulated, manifest=documents.manifest.version())
    with suppress(NotQueued):  # told already; its file is in place
        writer.append(
            RecordKind.CHAIN_START, board.clock.now(), chain_start_record(provenance, why)
        )
    _log.warning("event=chain_start why=%r", why)


def _why_new_chain(head: ChainHead | None, *, any_record: bool, key_is_new: bool) -> str | None:
    if not any_record:
        return "neither rows nor files were found: the first start, or the state was lost"
    if key_is_new:
        return "the signing key was missing, and is new"
    if head is None:
        return "the signing key or the device's id is another than before"
    return None


def user() -> str:
    """Return the name of the user that runs this process."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def answer(loop: CaptureLoop, request: dict[str, Any], user: str) -> dict[str, Any]:
    """Answer one request to the capture process's socket."""
    if (pressed := _press(loop, request, user)) is not None:
        return pressed
    match request:
        case {"status": True}:
            return loop.status()
        case {"offer": _} | {"request": _}:
            return loop.documents.answer(request)
        case {"locate": _} | {"test_card": _}:
            return loop.technician.answer(request, user)
        case _:
            words = (
                '{"press": "photo"|"scan"}, {"hold": "scan", "seconds": 2}, {"hand_over": true}, '
                '{"status": true}, '
                f"{OFFERS}, {ASKED}"
            )
            return {"error": f"unknown request; one of: {words}", "exit": ExitCode.USAGE}


def _press(loop: CaptureLoop, request: dict[str, Any], user: str) -> Reply | None:
    """Press as a request asks, and return what came of it; None if it asks for no press."""
    match request:
        case {"press": ("photo" | "scan") as button}:
            return loop.command(ButtonName(button), FINGER_S, user, COMMAND_TIMEOUT_S)
        case {"hold": "scan", "seconds": int() | float() as held_s} if 0 < held_s <= 10:
            return loop.command(ButtonName.SCAN, float(held_s), user, COMMAND_TIMEOUT_S)
        case {"hand_over": True}:
            return loop.hand_over(user, COMMAND_TIMEOUT_S)
    return None
