"""What each command does; every import that costs time or memory waits until it is needed."""

# ruff: noqa: PLC0415, T201 - `status` must not load OpenCV; commands print

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from agent.command import wiring
from agent.config import Config, load, path_of
from agent.errors import ConfigError, ExitCode, NotNow
from agent.models import FAULTS, CaptureId
from agent.process import control
from agent.queue.disk import disk_errors
from agent.queue.paths import Layout

if TYPE_CHECKING:
    from agent.capture.loop import CaptureLoop
    from agent.capture.socket_presses import Reply
    from agent.models import Item

Configured = Callable[[Config, argparse.Namespace], int]

BUTTON_WAIT_S: Final = 30.0
"""How long `capture --once` waits for the button of a provisioned device. Source: section 10."""

_BAR: Final = "{desc} |{bar}| {n_fmt} of {total_fmt} records, {elapsed}"


def capture(config: Config, arguments: argparse.Namespace) -> int:
    """`doorstep capture [--once]`."""
    if not arguments.once:
        return _serve_presses(config)
    socket = Layout.of(config.state).capture_socket
    reply = control.ask(socket, {"press": "photo"}, wiring.COMMAND_TIMEOUT_S + 5)
    if reply is None:
        reply = _press_once(config)
    return _print_reply(reply)


def _serve_presses(config: Config) -> int:
    with wiring.capture_loop(config) as loop, _signals(loop.stop):
        path = Layout.of(config.state).capture_socket
        with control.serve(path, lambda request, user: wiring.answer(loop, request, user)):
            return loop.run()


def _press_once(config: Config) -> "Reply":
    replies: list[Reply] = []
    with wiring.capture_loop(config) as loop, _signals(loop.stop) as ended:

        def take(reply: "Reply") -> None:
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


def _presser(loop: "CaptureLoop") -> threading.Thread:
    return threading.Thread(target=wiring.answer, args=(loop, {"press": "photo"}, wiring.user()))


def _print_reply(reply: "Reply") -> int:
    if "error" in reply:
        print(f"doorstep: {reply['error']}", file=sys.stderr)
        return int(reply.get("exit", ExitCode.FAULT))
    print(json.dumps(reply))
    return exit_code(reply)


def exit_code(reply: "Reply") -> ExitCode:
    """What `capture --once` ends with for a press that left its record."""
    reason = reply["record"].get("reason")
    if reason is not None:
        return ExitCode.FAULT if reason in FAULTS else ExitCode.REFUSED
    return ExitCode.RETAKE if reply.get("retake") else ExitCode.DONE


def sync(config: Config, arguments: argparse.Namespace) -> int:
    """`doorstep sync [--once]`."""
    with wiring.sync_loop(config) as loop:
        if not arguments.once:
            stop = threading.Event()
            with _signals(stop.set):
                loop.run(stop)
            return ExitCode.DONE
        with _progress_bar() as progress:
            sent = loop.send_once(progress)
            progress(sent.tried, sent.tried)  # it may have been too quick to be seen
    told = f"{sent.delivered} delivered, {sent.waiting} waiting"
    if sent.tried > sent.delivered:
        told += f"; {sent.tried - sent.delivered} tried in vain, `doorstep queue` says why"
    print(f"{told}; paused: {sent.paused}" if sent.paused else told)
    return ExitCode.LATER if sent.waiting or sent.paused else ExitCode.DONE


def prune(config: Config, _arguments: argparse.Namespace) -> int:
    """`doorstep prune`."""
    from agent.queue import retention
    from hardware.clock_system import SystemClock

    with wiring.queue(config) as outbox:
        moment = SystemClock(wiring.floor(outbox)).now()
        keys = wiring.receipt_keys(config)
        layout = Layout.of(config.state)
        pruned = retention.prune(outbox, layout, config.retention, keys, moment)
        reserve_bytes = config.state.reserve_mb * 1_000_000
        early = 0
        while files := retention.make_room(outbox, layout, keys, reserve_bytes):
            early += files
    print(f"{pruned.files + early} files and {pruned.rows} rows deleted")
    return ExitCode.DONE


def status(config: Config, arguments: argparse.Namespace) -> int:
    """`doorstep status [--json]`."""
    from agent.process import status as report

    with wiring.queue(config) as outbox:
        document = report.document(config, outbox)
    if arguments.json:
        print(json.dumps(document, separators=(",", ":")))
    else:
        print("\n".join(report.lines(document)))
    return ExitCode.DONE


def queue(config: Config, arguments: argparse.Namespace) -> int:
    """`doorstep queue [...]` and `doorstep queue retry ID|--all`."""
    with wiring.queue(config) as outbox:
        if arguments.action == "retry":
            if (arguments.id is None) != arguments.all:
                raise ConfigError("queue retry: give one ID, or --all")
            put_back = outbox.retry(None if arguments.all else CaptureId(arguments.id), 0.0)
            words = f"{put_back} put back; sync sends them when it next looks"
            print(json.dumps({"put_back": put_back}) if arguments.json else words)
            return ExitCode.DONE
        items = outbox.items(arguments.state, arguments.after, arguments.limit)
    for item in items:
        print(json.dumps(_listed(item)) if arguments.json else _line(item))
    if arguments.json:
        return ExitCode.DONE
    if len(items) == arguments.limit:
        print(f"there may be more: --after {items[-1].number}")
    elif not items:
        after = f" after {arguments.after}" if arguments.after else ""
        state = f" is {arguments.state}" if arguments.state else ""
        print(f"nothing in the queue{after}{state}")
    return ExitCode.DONE


def _listed(item: "Item") -> dict[str, Any]:
    hidden = {"label_sha256", "due_s", "decision", "adopted"}
    return {name: value for name, value in asdict(item).items() if name not in hidden}


def _line(item: "Item") -> str:
    tries = f"{item.attempts} tried" if item.attempts else "not tried"
    answer = f"  {item.answer}" if item.answer else ""
    return (
        f"{item.number:>6}  #{item.seq:<5} {item.capture_id}  {item.kind:<11} {item.state:<9} "
        f"{item.utc}  {tries}{answer}"
    )


def doctor(arguments: argparse.Namespace) -> int:
    """`doorstep doctor [--json]`."""
    from agent.command import doctor as clinic

    findings = clinic.examine(path_of(arguments.config))
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        print("\n".join(clinic.lines(findings)))
    return clinic.exit_code(findings)


def check_config(arguments: argparse.Namespace) -> int:
    """`doorstep config [--check]`."""
    path = path_of(arguments.config)
    config = load(path)
    wiring.check(config)
    if not arguments.check:
        for table in fields(config):
            for name, value in asdict(getattr(config, table.name)).items():
                text = json.dumps(value, default=str, ensure_ascii=False)
                print(f"{table.name}.{name} = {text}")
    print(f"{path}: the configuration is valid")
    return ExitCode.DONE


def verify(arguments: argparse.Namespace) -> int:
    """`doorstep verify DIR [--key PEM]`."""
    from agent.record import signing
    from agent.record import verify as proof

    with disk_errors(f"cannot read {arguments.folder}"):
        try:
            paths = [path for path in arguments.folder.iterdir() if path.suffix == ".rec"]
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ConfigError(f"{arguments.folder}: not a folder") from error
    pinned = signing.read_public_key(arguments.key) if arguments.key else None
    if not paths:
        raise ConfigError(f"{arguments.folder}: no record files (*.rec) in it")
    report = proof.examine(paths, pinned)
    print("\n".join(report.lines))
    return ExitCode.NOT_GENUINE if report.problems else ExitCode.DONE


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from tqdm import tqdm

    bars: list[tqdm[Any]] = []

    def show(done: int, total: int) -> None:
        if total and not bars:
            bars.append(tqdm(total=total, desc="sending", bar_format=_BAR))
        for bar in bars:
            bar.total = total
            bar.update(done - bar.n)

    yield show
    for bar in bars:
        bar.close()


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """End cleanly at SIGTERM and SIGINT; yields a list that holds which one it was."""
    kinds = (signal.SIGTERM, signal.SIGINT)
    told: list[int] = []

    def end(kind: int, _frame: object) -> None:
        if not told:  # a second one may come in the midst of the first
            told.append(kind)
            stop()

    before = [signal.signal(kind, end) for kind in kinds]
    try:
        yield told
    finally:
        for kind, old in zip(kinds, before, strict=True):
            signal.signal(kind, old)
