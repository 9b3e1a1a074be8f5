"""Faults of the card, the queue on it and the clock, and processes that die, with their sender."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.faults.syscalls.traced import attached
from tests.scenarios.faults import (
    CRADLE,
    Seen,
    check_delivered,
    check_nothing_lost,
    fault,
    known_to,
    light_of_press,
    on_small_card,
    press,
    seen,
    state_of,
)
from tests.scenarios.sending_faults import TWO_TICKS_S
from tests.support.backend import Backend
from tests.support.device import REPOSITORY, Device, device, environment
from tests.support.factory import fill
from tests.support.faketime import IN_1970, TEN_YEARS_AHEAD, faked

RESERVE_BYTES: Final = 1_000_000
UNSYNCED: Final = '[[at]]\nsecond = 0\nclock = "unsynced"\ngnss_time = false\n'


@contextmanager
def van(folder: Path, backend: Backend, world: str = "", **more: Any) -> Iterator[Device]:
    """A device that the backend has not seen, with its capture process."""
    with device(folder, world, **known_to(backend), **more) as made:
        made.start("capture")
        yield made


def send(device: Device) -> None:
    sent = device.run("sync", "--once")
    assert sent.returncode == 0, sent.stdout + sent.stderr


# The card


@fault("the card is full to the last byte")
def full_to_the_last_byte(folder: Path, backend: Backend) -> Seen:
    with on_small_card(folder, **known_to(backend)) as (made, card):
        before = made.press()
        filler = fill(card)
        reply = press(made)
        result = seen(made, reply)
        send(made)
        states = [*result.states, state_of(made, reply)]
        filler.unlink()
        after = press(made)

        assert after["label"]["kind"] == "photo"
        assert state_of(made, before) in {"DELIVERED", "PRUNED"}, "delivered ones make room"
        check_nothing_lost(made, [after])
        check_delivered(made, backend)
        return Seen(made.log("capture"), result.light, states)


@fault("no room except for delivered records")
def room_is_made(folder: Path, backend: Backend) -> Seen:
    with on_small_card(folder, **known_to(backend)) as (made, card):
        delivered = [made.press(), press(made)]
        send(made)
        waiting = press(made)
        filler = fill(card)
        file_bytes = made.layout.record(delivered[0]["label"]["capture_id"]).stat().st_size
        os.truncate(filler, filler.stat().st_size - RESERVE_BYTES + file_bytes // 2)
        reply = press(made)

        assert made.layout.label(delivered[0]["label"]["capture_id"]).exists()
        check_nothing_lost(made, [waiting, reply])
        return seen(made, reply)


@fault("a flush fails (I/O error)")
def flush_fails(folder: Path, _: Backend) -> Seen:
    with device(folder) as made:
        process = made.start("capture")
        before = made.press()
        with attached(process.pid, folder / "trace", ["-e", "inject=fsync:error=EIO:when=1"]):
            reply = press(made)
            result = seen(made, reply)
        after = press(made)

        assert after["label"]["kind"] == "photo"
        check_nothing_lost(made, [before, reply, after])
        return result


# The queue


def _broken(folder: Path, backend: Backend, breaks: Callable[[Path], None]) -> Seen:
    """Break the queue of a device that has sent one record and not another, and press."""
    with van(folder, backend) as made:
        sent = made.press()
        send(made)
        waiting = press(made)
        breaks(made.layout.database)
        reply = press(made)
        light = light_of_press(made)
        made.await_that(lambda: made.run("queue").returncode == 0)
        result = seen(made, reply)
        send(made)

        assert {row["state"] for row in made.queue()} == {"DELIVERED"}
        check_nothing_lost(made, [sent, waiting, reply])
        check_delivered(made, backend)
        return Seen(made.log("capture"), light, [*result.states, state_of(made, reply)])


@fault("the queue's database is corrupt")
def corrupt(folder: Path, backend: Backend) -> Seen:
    def overwrite(database: Path) -> None:
        """As a card that gives other bytes back: also those in the log."""
        for path in (database, database.with_name("doorstep.db-wal")):
            with suppress(FileNotFoundError):
                size = path.stat().st_size
                with path.open("r+b") as file:
                    file.write(b"\xa5" * size)

    return _broken(folder, backend, overwrite)


@fault("the queue's database is gone")
def gone(folder: Path, backend: Backend) -> Seen:
    return _broken(folder, backend, Path.unlink)


# The clock


@fault("the clock is years ahead, and nobody vouches for it")
def years_ahead(folder: Path, backend: Backend) -> Seen:
    with environment(**faked(TEN_YEARS_AHEAD)), van(folder, backend, UNSYNCED) as made:
        reply = made.press()
        made.stop("capture")
        pruned = made.run("prune")

        assert pruned.returncode == 0, pruned.stderr
        assert reply["label"]["clock"] == "unsynced"
        check_nothing_lost(made, [reply])
        return seen(made, reply)


@fault("the clock is in 1970 while sync sends")
def in_1970(folder: Path, backend: Backend) -> Seen:
    with van(folder, backend, CRADLE) as made:
        reply = made.press()
        with environment(**faked(IN_1970)):
            made.start("sync")
        made.await_that(lambda: "event=link_lost" in made.log("sync"))
        time.sleep(TWO_TICKS_S)
        states, light = [state_of(made, reply)], made.lights()[-1:]
        made.stop("sync")
        send(made)

        check_nothing_lost(made, [reply])
        check_delivered(made, backend)
        return Seen(made.log("sync"), light, [*states, state_of(made, reply)])


# Processes that die


@fault("sync dies in the middle of a transfer")
def sync_dies(folder: Path, backend: Backend) -> Seen:
    with van(folder, backend) as made:
        reply = made.press()
        backend.set_switches(silent_after_bytes=4096)
        try:
            made.start("sync")
            made.await_that(
                lambda: (made.ask("sync", {"status": True}) or {})["state"] == "sending"
            )
            made.stop("sync", signal.SIGKILL)
        finally:
            backend.set_switches()
        states = [state_of(made, reply)]
        send(made)

        check_nothing_lost(made, [reply])
        check_delivered(made, backend)
        return Seen(made.log("sync"), [], [*states, state_of(made, reply)])


@fault("prune dies after it has deleted")
def prune_dies(folder: Path, backend: Backend) -> Seen:
    program = shutil.which("strace")
    assert program, "this needs strace: apt install strace"
    with van(folder, backend, retention={"file_hours": 0}) as made:
        sent = made.press()
        send(made)
        waiting = press(made)
        made.stop("capture")
        dies = [program, "-f", "-qq", "-o", "/dev/null", "-e", "inject=fsync:signal=KILL:when=1"]
        words = [sys.executable, "-m", "agent", "prune", "--config", str(made.config)]
        died = subprocess.run([*dies, *words], cwd=REPOSITORY, check=False)
        states = [state_of(made, sent)]
        gone = not made.layout.record(sent["label"]["capture_id"]).exists()
        made.start("capture")

        assert died.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
        assert gone
        check_nothing_lost(made, [waiting])
        return Seen(made.log("capture"), [], [*states, state_of(made, sent)])
