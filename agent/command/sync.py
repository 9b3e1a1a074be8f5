"""`doorstep sync`: how its process is put together, and what sending once tells."""

import argparse
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial

from agent.command import sync_from
from agent.command.progress import progress_bar
from agent.command.shared import become, owner_of, signals
from agent.config import Config, IdentityMode, ManifestPolicy, load, path_of
from agent.errors import ConfigError, ExitCode
from agent.identity import sync_part
from agent.identity.est import EstClient
from agent.identity.renewal import Renewal
from agent.models import printable
from agent.process import sd_notify
from agent.queue.database import Database
from agent.queue.outbox import Outbox
from agent.queue.paths import Layout
from agent.record import receipt
from agent.record.receipt import Keys
from agent.status import reading
from agent.status.document import document, queue_part
from agent.status.reading import CaptureReport
from agent.status.values import Status
from agent.sync.batches import Batches
from agent.sync.blocked_reason import Connectivity
from agent.sync.delivery import Delivery
from agent.sync.document_fetch import (
    FLEET_EVERY_S,
    MANIFEST_EVERY_S,
    Document,
    DocumentFetch,
)
from agent.sync.downloads import Downloads
from agent.sync.fleet_keys import FleetKeys
from agent.sync.loop import Sync
from agent.sync.push import Push
from agent.sync.receipt_offers import ReceiptOffers
from agent.trust.keys import pinned
from agent.trust.store import TrustStore
from agent.wire import tls
from agent.wire.http import Backend
from hardware.clock import BUILT
from hardware.clock_system import SystemClock, boot_id


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep sync [--once]`, and `doorstep sync --from DIR`."""
    if arguments.folder is not None:
        return sync_from.run(arguments)
    if arguments.receipts is not None:
        raise ConfigError("--receipts goes with --from: a queue keeps its receipts itself")
    config = load(path_of(arguments.config))
    layout = Layout.of(config.state)
    become(owner_of(layout.sync_keys, layout.state))
    with sync_loop(config) as loop:
        if not arguments.once:
            stop = threading.Event()
            with signals(stop.set):
                loop.run(stop)
            return ExitCode.DONE
        with progress_bar() as progress:
            sent = loop.send_once(progress)
            progress(sent.tried, sent.tried)  # it may have been too quick to be seen
    told = f"{sent.delivered} delivered, {sent.waiting} waiting"
    if sent.tried > sent.delivered:
        told += f"; {sent.tried - sent.delivered} tried in vain, `doorstep queue` says why"
    print(printable(f"{told}; paused: {sent.paused}") if sent.paused else told)
    for kind in sent.unkept:
        what = {"fleet": "fleet document"}.get(kind, kind)
        print(f"capture does not run: the {what} is not kept")
    return ExitCode.LATER if sent.waiting or sent.paused else ExitCode.DONE


@contextmanager
def sync_loop(config: Config) -> Iterator[Sync]:
    """Build the sync process, ready to run."""
    layout, rng = Layout.of(config.state), random.Random()  # noqa: S311 - jitter
    with ExitStack() as opened:
        database = opened.enter_context(closing(Database(layout)))
        outbox, clock = Outbox(database, boot_id()), SystemClock(BUILT)
        backend = Backend(config.backend, alive=sd_notify.alive, tls=tls.for_backend(config))
        opened.callback(backend.close)
        renewal, connectivity = _renewal(config, rng, opened), Connectivity()

        def compose() -> Status:
            return document(config, queue_part(outbox), sync=loop.status())

        push = Push(compose, backend.carry, clock.boottime_s)
        fetches, keys = _documents(config, backend, rng, connectivity, push)
        keep_url, on_upload = outbox.set_upload_url, push.on_upload
        delivery = Delivery(backend, keys, keep_url, _wanted(fetches), on_upload)
        downloads = Downloads(
            list(fetches.values()),
            renewal=renewal,
            unkept=lambda: [kind for kind, fetch in fetches.items() if fetch.waits],
            connectivity=connectivity,
        )
        batches = Batches(config.sync.batch_minutes * 60.0, partial(is_urgent, layout), rng)
        loop = Sync(
            layout,
            outbox,
            delivery,
            clock,
            rng,
            downloads=downloads,
            batches=batches,
            receipts=ReceiptOffers(layout, outbox, keys),
        )
        yield loop


def is_urgent(layout: Layout) -> bool:
    """Return True if the device is in its cradle, or refuses presses until a route comes."""
    told = reading.ask_capture(layout)
    if not isinstance(told, CaptureReport):
        return False  # without capture there is no press that could wait
    return told.external is True or told.part.manifest == "none"


def _renewal(config: Config, rng: random.Random, opened: ExitStack) -> Renewal | None:
    if config.identity.mode is not IdentityMode.REQUIRED:
        return None
    if config.uses_certificate_files:
        return Renewal(config, None, rng)
    est = EstClient(config.est, tls.for_est(config), sync_part.LIMITS, alive=sd_notify.alive)
    opened.callback(est.close)
    return Renewal(config, est, rng)


Fetches = dict[str, DocumentFetch]
"""By kind, in the order in which they are asked for."""


def _documents(
    config: Config, backend: Backend, rng: random.Random, connectivity: Connectivity, push: Push
) -> tuple[Fetches, Callable[[], Keys]]:
    """Return the documents that this device asks for, and the keys that may sign its receipts."""
    fetches: Fetches = {}
    layout = Layout.of(config.state)
    has_manifest = config.policy.manifest is ManifestPolicy.REQUIRED
    capture, name = layout.capture_socket, None
    if config.identity.mode is IdentityMode.OFF or config.identity.fleet_key is None:
        name, files = config.device.id, receipt.read_keys(config.backend.receipt_keys)
        keys: Callable[[], Keys] = lambda: files  # noqa: E731 - one of two
    else:
        fleet = FleetKeys(pinned(config), TrustStore(layout))
        keys = fleet.keys
        none = "the backend has none yet"
        ask = backend.fleet if has_manifest else push.on_fetch(backend.fleet)
        wanted = Document("fleet", FLEET_EVERY_S, ask, none, held=fleet.tag)
        fetches["fleet"] = DocumentFetch(
            wanted,
            backend,
            capture,
            rng,
            connectivity,
            on_fetched=fleet.offer_update,
        )
    if has_manifest:
        ask = push.on_fetch(partial(backend.manifest, device_id=name))
        route = Document("manifest", MANIFEST_EVERY_S, ask, "no route for this device")
        untrusted = _wanted(fetches)
        fetches["manifest"] = DocumentFetch(
            route, backend, capture, rng, connectivity, on_untrusted=untrusted
        )
    return fetches, keys


def _wanted(fetches: Fetches) -> Callable[[], None]:
    """Return a function that asks for the fleet document soon, if there is one."""
    return fetches["fleet"].fetch_at_next_tick if "fleet" in fetches else lambda: None
