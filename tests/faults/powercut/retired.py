"""The scenario of retirement: the device still belongs to its fleet, or nothing of it is left."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from agent.command import retire
from agent.models import RecordState
from agent.queue.disk import write_durably
from agent.record import signing
from tests.faults.powercut import checker, files, office
from tests.faults.powercut.before import deliver
from tests.faults.powercut.enrolled import enrol_by_hand, photo, said
from tests.faults.powercut.office import DEVICE, FLEET
from tests.faults.powercut.promise_log import PromiseLog
from tests.faults.powercut.stage import Stage
from tests.support.device import Device

SIGNS, SHOWS, SERVES = KEYS = tuple(signing.new_key() for _ in range(3))
"""The device's keys: its records', its own TLS and its server's."""

CONFIG, MARK = "etc/config.toml", "etc/retired.json"
"""Files on the disk: removing CONFIG is the commit point, and MARK says what is to be wiped."""

LEFT: Final = {MARK, "etc/world.toml", "etc/receipt-key.pem"}
"""Files that stay: the mark, which names the device, and files of the test's own."""


def retirement(stage: Stage) -> None:
    """Retire a device that has delivered all its records."""
    with office.opened(stage), files.noted(stage):
        _join(stage)
        stage.layout.make()
        for key, folder in ((SIGNS, stage.layout.capture_keys), (SERVES, stage.layout.serve_keys)):
            name = "device.pem" if key is SIGNS else "key.pem"
            write_durably(folder / name, signing.private_pem(key), 0o600)
        enrol_by_hand(stage, timedelta(minutes=1), SHOWS)
        with stage.open() as bench:
            for _ in range(3):
                photo(stage, bench)
            for item in bench.rows():
                deliver(bench, item)
        config = _device(stage).config
        layout = stage.layout
        files.note(stage, stage.disk / "etc", layout.keys, layout.trust, layout.records)
        stage.begin()
        with _commit_noted(stage):
            code, words = said("retire", DEVICE, config=config)
        assert code == 0, words


def _join(stage: Stage) -> None:
    """Put the configuration, with all files that it names, on the disk that is cut."""
    (stage.disk / "etc").mkdir(exist_ok=True)
    ca, key = stage.disk / "etc/ca.pem", stage.disk / "etc/fleet-key.pem"
    stage.tables["identity"] |= {"ca": str(ca), "fleet_key": str(key)}
    if not stage.layout.state.exists():
        key.write_bytes(signing.public_pem(FLEET.key.public_key()))


def _device(stage: Stage) -> Device:
    return Device(stage.disk / "etc", "", state=stage.state, **stage.tables)


@contextmanager
def _commit_noted(stage: Stage) -> Iterator[None]:
    """Note when the configuration has lost its name for good."""
    name = "sync_folder"
    plain = getattr(retire, name)

    def flushed(folder: Path) -> None:
        mark_kept = stage.promises.changes[-1].done
        plain(folder)
        stage.change(CONFIG, mark_kept, None)

    setattr(retire, name, flushed)
    try:
        yield
    finally:
        setattr(retire, name, plain)


def check(stage: Stage, promises: PromiseLog, log_bytes: int, is_real: bool) -> list[str]:
    """Check that nothing is gone before the commit point, and that the next run finishes."""
    is_begun = not (stage.disk / CONFIG).exists()
    names = {CONFIG, MARK} if is_begun else None
    if faults := list(files.broken(stage, promises, log_bytes, names)):
        return faults  # nothing else works then
    with office.opened(
        stage, [one for one in promises.heard if one.log_bytes <= log_bytes]
    ) as server:
        _join(stage)
        if not is_begun:
            faults += _works(stage, promises, log_bytes)
            _move_server(stage, server.url)
        for words in ("wiped", "nothing was done now"):
            config = stage.disk / CONFIG
            code, spoken = said("retire", DEVICE, config=config, is_real=is_real)
            if code or words not in spoken:
                faults.append(f"`doorstep retire` after it: {code}, {spoken}")
    faults += _left(stage)
    return faults


def _works(stage: Stage, promises: PromiseLog, log_bytes: int) -> Iterator[str]:
    """Check that the device works as before: it starts, and knows what it has delivered."""
    with stage.open() as bench:
        found = checker.look(bench.layout)
    promised = promises.possible(log_bytes)[0].rows
    if found.rows != promised:
        yield "not retired yet, and the queue is another"
    if any(row["state"] != RecordState.DELIVERED for row in found.rows.values()):
        yield "not retired yet, and a record is not delivered any more"


def _move_server(stage: Stage, url: str) -> None:
    """Write the server's new address: the port differs from when the scenario was recorded."""
    config = stage.disk / CONFIG
    text = re.sub(r'url = "[^"]+"', f'url = "{url}"', config.read_text())
    config.write_text(text)


def _left(stage: Stage) -> Iterator[str]:
    """Yield files of the fleet, and keys anywhere on the disk, free blocks included."""
    there = {str(path.relative_to(stage.disk)) for path in stage.disk.rglob("*") if path.is_file()}
    if there != LEFT:
        yield f"retired, and there is {sorted(there ^ LEFT)}"
    stage.flush()
    image = (stage.folder / "disk.img").read_bytes()
    for key in KEYS:
        line = signing.private_pem(key).splitlines()[1]
        if line in image:
            yield "retired, and a key can be read from the disk"
