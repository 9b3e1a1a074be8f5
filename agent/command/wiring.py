"""Puts the objects of each process together by hand, and takes them apart in reverse."""

import logging
import os
import pwd
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent.config import Config, ManifestPolicy
from agent.errors import ConfigError, ExitCode, StorageFault
from agent.models import Head, Kind
from agent.process import sd_notify
from agent.queue.database import Database
from agent.queue.disk import disk_errors, lock, write_durably
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from hardware.button import ButtonName
from hardware.clock import BUILT
from hardware.clock_system import SystemClock, boot_id
from hardware.settings import BoardSettings

if TYPE_CHECKING:
    from agent.capture.chain import Chain
    from agent.capture.current_manifest import CurrentManifest
    from agent.capture.loop import CaptureLoop
    from agent.record.signing import PrivateKey, PublicKey
    from agent.sync.loop import Sync
    from hardware.board import Board

Opening = Callable[[BoardSettings, Path, datetime], "Board"]
"""From the devices' settings, the run folder and the time floor to open devices."""

_log = logging.getLogger(__name__)

COMMAND_TIMEOUT_S: Final = 30.0
"""Longest answer to a press through the socket: a cold camera, a lamp, and a worn card."""

FINGER_S: Final = 0.12
"""How long a press through the socket lasts: as a person's does, 0.08 to 0.15 s."""


def become_owner(layout: Layout) -> None:
    """As root, go on as the owner of the queue, so that no file of root's gets into the state."""
    if os.geteuid() != 0:
        return
    owned = next((path for path in (layout.database, layout.keys) if path.exists()), None)
    if owned is None or (owner := owned.stat()).st_uid == 0:
        return
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:  # a card of another machine
        os.setgroups([owner.st_gid])
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


def receipt_keys(config: Config) -> Mapping[str, "PublicKey"]:
    """The keys that may sign receipts, by thumbprint.

    Raises:
        ConfigError: one cannot be read.
    """
    # `status` reads no key.
    from agent.record import receipt  # noqa: PLC0415

    return receipt.read_keys(config.backend.receipt_keys)


def check(config: Config) -> None:
    """Read the files that the configuration names.

    Raises:
        ConfigError: a key for receipts cannot be read.
        ScriptError: the script of the simulated world is wrong.
    """
    # Only a simulated board has a world.
    from hardware.simulated.script import read_script  # noqa: PLC0415

    receipt_keys(config)
    if config.simulated.world is not None:
        read_script(config.simulated.world)


@contextmanager
def queue(config: Config) -> Iterator[Outbox]:
    """The queue as every process but capture opens it."""
    database = Database(Layout.of(config.state))
    try:
        yield Outbox(database, boot_id())
    finally:
        database.close()


@contextmanager
def capture_loop(
    config: Config,
    opening: Opening | None = None,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> Iterator["CaptureLoop"]:
    """The capture process, ready to run: swept, with a chain, its devices open.

    Args:
        config: the whole of it.
        opening: opens other devices than the configured ones, for tests.
        now_ns: tells CLOCK_MONOTONIC.

    Raises:
        NotNow: another capture process runs.
        StorageFault: the state folder cannot be used.
        DeviceError: a device is missing.
    """
    # Only the capture process pays for OpenCV and numpy.
    from agent.capture.chain import Chain  # noqa: PLC0415
    from agent.capture.current_manifest import CurrentManifest  # noqa: PLC0415
    from agent.capture.loop import CaptureLoop  # noqa: PLC0415
    from agent.queue import recovery  # noqa: PLC0415
    from agent.queue.manifests import ManifestStore  # noqa: PLC0415
    from hardware.board import open_board  # noqa: PLC0415

    layout = Layout.of(config.state)
    with disk_errors(f"cannot make the state folder {layout.state}"):
        layout.make()
    with ExitStack() as opened:
        opened.enter_context(lock(layout.capture_lock, exclusive=True, wait=False))
        database = Database(layout, migrates=True)
        opened.callback(database.close)
        outbox = Outbox(database, boot_id())
        key, key_is_new = _device_key(layout)
        keys = _own_keys(layout)
        mending = recovery.Mending(layout, database, outbox, keys, now_ns, alive=sd_notify.alive)
        mending.start()
        board = (opening or open_board)(config.board, layout.run, floor(outbox))
        opened.callback(board.close)
        if known := recovery.gnss_label(layout, outbox, keys, boot_id()):
            board.clock.recall(datetime.fromisoformat(known.utc), known.monotonic_ns)
        head = recovery.head(layout, outbox, key.public_key(), config.device.id)
        why = _why_new_chain(outbox, head, key_is_new=key_is_new)
        if head is None or why:
            head = Head(str(uuid.uuid4()), 0, None)
        chain = Chain(
            layout, outbox, key=key, device_id=config.device.id, head=head, mend=mending.mend
        )
        current_manifest = CurrentManifest(config, ManifestStore(database), board.clock)
        if why:
            _start_chain(board, chain, current_manifest, why)
        yield CaptureLoop(
            config, board, chain, outbox, current_manifest=current_manifest, now_ns=now_ns
        )


@contextmanager
def sync_loop(config: Config) -> Iterator["Sync"]:
    """The sending process, ready to run."""
    # Only the sending process pays for requests.
    from agent.queue.manifests import ManifestStore  # noqa: PLC0415
    from agent.sync.delivery import Delivery  # noqa: PLC0415
    from agent.sync.http import Backend  # noqa: PLC0415
    from agent.sync.loop import Sync  # noqa: PLC0415
    from agent.sync.manifest_fetch import ManifestFetch  # noqa: PLC0415

    layout, dice = Layout.of(config.state), random.Random()  # noqa: S311 - jitter
    with closing(Database(layout)) as database:
        outbox, clock = Outbox(database, boot_id()), SystemClock(BUILT)
        with closing(Backend(config.backend, alive=sd_notify.alive)) as backend:
            delivery = Delivery(backend, receipt_keys(config), outbox.set_upload_url)
            fetch = ManifestFetch(backend, ManifestStore(database), config.device.id, dice)
            is_off = config.policy.manifest is ManifestPolicy.OFF
            yield Sync(layout, outbox, delivery, clock, dice, fetch=None if is_off else fetch)


def floor(outbox: Outbox) -> datetime:
    """The latest time that is certainly past, as far as it is kept on disk."""
    return max(BUILT, outbox.floor() or BUILT)


def _start_chain(
    board: "Board", chain: "Chain", current_manifest: "CurrentManifest", why: str
) -> None:
    from agent.capture.record_json import Setting, chain_start_record  # noqa: PLC0415 - as in capture_loop

    setting = Setting(simulated=board.simulated, manifest=current_manifest.version())
    chain.keep(Kind.CHAIN_START, board.clock.now(), chain_start_record(setting, why))
    _log.warning("event=chain_start why=%r", why)


def _device_key(layout: Layout) -> tuple["PrivateKey", bool]:
    """This device's signing key, made at the first start; whether it was made now."""
    from agent.record import signing  # noqa: PLC0415 - as in receipt_keys

    path = layout.keys / "device.pem"
    is_new = not path.exists()
    if is_new:
        write_durably(path, signing.private_pem(signing.new_key()), mode=0o600, whole=True)
    try:
        key = signing.read_private_key(path)
    except ConfigError as error:
        words = "put it back from a copy, or move it away: then a new chain begins"
        raise StorageFault(f"{error}; {words}") from error
    public = key.public_key()
    kept = layout.keys / f"{signing.thumbprint(public)}.pub.pem"
    if not kept.exists():
        write_durably(kept, signing.public_pem(public), mode=0o600, whole=True)
    return key, is_new


def _own_keys(layout: Layout) -> list["PublicKey"]:
    """Every key that this device ever signed with: its records stay its own with a new one."""
    from agent.record import signing  # noqa: PLC0415 - as in receipt_keys

    return [signing.read_public_key(path) for path in sorted(layout.keys.glob("*.pub.pem"))]


def _why_new_chain(outbox: Outbox, head: Head | None, *, key_is_new: bool) -> str | None:
    if outbox.newest() is None:
        return "neither rows nor files were found: the first start, or the state was lost"
    if key_is_new:
        return "the signing key was missing, and is new"
    if head is None:
        return "the signing key or the device's id is another than before"
    return None


def user() -> str:
    """The name of the user that runs this process."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def answer(loop: "CaptureLoop", request: dict[str, Any], user: str) -> dict[str, Any]:
    """Answer one request to the capture process's socket."""
    match request:
        case {"press": ("photo" | "scan") as button}:
            return loop.command(ButtonName(button), FINGER_S, user, COMMAND_TIMEOUT_S)
        case {"hold": "scan", "seconds": int() | float() as held_s} if 0 < held_s <= 10:
            return loop.command(ButtonName.SCAN, float(held_s), user, COMMAND_TIMEOUT_S)
        case {"status": True}:
            return loop.status()
        case _:
            words = '{"press": "photo"|"scan"}, {"hold": "scan", "seconds": 2}, {"status": true}'
            return {"error": f"unknown request; one of: {words}", "exit": ExitCode.USAGE}
