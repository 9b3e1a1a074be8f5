"""The commands that the rig interrupts, and the state of the device before each."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final

import agent
import hardware
import hardware.simulated.stream
from agent.__main__ import main
from agent.errors import DoorstepError, StorageFault
from agent.models import Item, RecordState, rfc3339
from agent.record import signing
from agent.trust.certain import Agreement
from agent.trust.store import KeptTime, TrustStore
from hardware.clock import BUILT
from hardware.clock_system import boot_id
from hardware.indicator import Signal
from tests.support.benchtop import Bench, Parts, bench
from tests.support.device import Device

_ELSEWHERE: Final = {"hardware.picamera2_frames", "hardware.drivers.camera_picamera2"}
"""They need the vendor's library."""

for _package in (agent, hardware):
    for _module in walk_packages(_package.__path__, f"{_package.__name__}."):
        if _module.name not in _ELSEWHERE:
            import_module(_module.name)  # else each child would: a second, and calls in between
for _name in ("sqlite_utils", "encodings.ascii", "encodings.idna", "encodings.latin_1"):
    import_module(_name)

SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "camera": {"kind": "simulated", "width_px": 320, "height_px": 240},
    "retention": {"file_hours": 0, "row_days": 1},
}
"""A camera whose scenes are drawn at once, and no time to wait before anything is deleted."""

RECEIVED: Final = datetime(2026, 11, 1, tzinfo=UTC)
FLOOR: Final = BUILT
CERTAIN: Final = RECEIVED + timedelta(days=2)
"""Receipts that are older than every time that is kept, by a clock that is past the build."""

RECEIPT_KEY: Final = signing.new_key()
"""Signs receipts that are there beforehand."""

_ENDS: Final = frozenset(
    {Signal.SAVED, Signal.HANDED_OVER, Signal.ONCE_MORE, Signal.NO_PHOTO, Signal.FAULT}
)

Act = Callable[[Device], int]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A piece of work.

    Attributes:
        act: the command, in the child; it returns its exit code.
        before: makes what was there, with a bench over the device's folder; None for nothing.
        code: what it ends with unharmed.
        codes: what it may end with when a call fails.
        presses: how many records it may leave, but for those that begin a chain.
        sends: whether all is to be sent afterwards.
        broken: whether the queue's database is overwritten before.
        settings: tables of the device's settings.
    """

    act: Act
    before: Callable[[Bench], None] | None
    codes: frozenset[int]
    code: int = 0
    presses: int = 0
    sends: bool = False
    broken: bool = False
    settings: tuple[tuple[str, dict[str, Any]], ...] = ()


def command(*words: str) -> Act:
    """A command of the product, in this process; the simulated sensor starts at once."""

    def act(van: Device) -> int:
        hardware.simulated.stream.START_NS = 30_000_000  # type: ignore[misc]  # a sensor in a hurry
        return main([*words, "--config", str(van.config)])

    return act


def press_and_void(van: Device) -> int:
    """As a command would, with a scan button that needs not be held for two seconds."""
    try:
        return _press_and_void(van)
    except DoorstepError as error:
        say(f"doorstep: {error}")
        return error.exit_code


def _press_and_void(van: Device) -> int:
    """A photo, and then it is taken back; what the driver was shown is printed as it is shown."""
    parts = Parts()
    state = {"dir": str(van.layout.state), "run_dir": str(van.layout.run), "reserve_mb": 1}
    with bench(van.folder / "bench", parts, state=state, **SETTINGS) as device:
        reply = device.press()
        parts.light.on_show = lambda signal: tell(device) if signal in _ENDS else None
        say(json.dumps(reply))
        device.hold_scan(after_s=1.0)
    if Signal.FAULT in parts.light.shown:
        raise StorageFault("the driver has seen red")
    return 0


def tell(device: Bench) -> None:
    """Print the newest record as if it had been answered; nothing where there is no void yet."""
    newest = device.rows()[-1]
    if newest.kind == "void":
        label = device.open(newest.capture_id).label.payload()
        say(json.dumps({"label": label, "record": {}}))


def say(text: str) -> None:
    """A line as a command prints it."""
    sys.stdout.write(f"{text}\n")


# What was before


def a_photo(device: Bench) -> None:
    device.press()


def photos(device: Bench) -> None:
    for _ in range(2):
        device.press()


def with_receipts(device: Bench) -> None:
    """Some records that a receipt covers, and two that wait."""
    for _ in range(4):
        device.press()
    for item in device.rows()[:3]:
        device.outbox.mark_delivered(item, _receipt(item), RECEIVED)
        device.layout.receipt(item.capture_id).write_text(_receipt(item))
    agreed = Agreement(boot_id(), CERTAIN, 0.0)
    TrustStore(device.layout).keep_time(KeptTime(FLOOR, agreed))


def _receipt(item: Item) -> str:
    about = {"capture_id": item.capture_id, "sha256": item.sha256, "bytes": item.bytes}
    return signing.sign({"v": 1, **about, "received_at": rfc3339(RECEIVED)}, RECEIPT_KEY)


SAVED: Final = frozenset({0, 4, 70})
"""Kept, with or without advice to try again; or a fault, in words or as a record."""

SCENARIOS: Final = {
    "first_start": Scenario(command("capture", "--once"), None, SAVED, presses=1),
    "capture": Scenario(command("capture", "--once"), a_photo, SAVED, presses=1),
    "void": Scenario(press_and_void, a_photo, SAVED, presses=2),
    "sync": Scenario(command("sync", "--once"), photos, frozenset({0, 70, 75}), sends=True),
    "prune": Scenario(command("prune"), with_receipts, frozenset({0, 70})),
    "rebuild": Scenario(command("capture", "--once"), photos, SAVED, presses=1, broken=True),
    "make_room": Scenario(
        command("capture", "--once"),
        with_receipts,
        frozenset({70}),
        code=70,
        presses=1,
        settings=(("state", {"reserve_mb": 1_000_000}),),
    ),
}
"""By name."""


def prepare(work: Scenario, folder: Path, device_id: str = "van-7") -> None:
    """Make what was there before, in a child's process."""
    if work.before is None:
        return
    van = device(work, folder)
    state = {"dir": str(van.layout.state), "run_dir": str(van.layout.run), "reserve_mb": 1}
    with bench(folder / "bench", Parts(), state=state, device={"id": device_id}) as made:
        work.before(made)
    if work.broken:
        database = van.layout.database
        database.write_bytes(b"\xa5" * database.stat().st_size)


def device(work: Scenario, folder: Path, **more: Any) -> Device:
    """The device of one case, with its settings."""
    tables = dict(work.settings)
    for name, table in {**SETTINGS, **more}.items():
        tables[name] = {**table, **tables.get(name, {})}
    return Device(folder, "", **tables)


def may_become(name: str, before: RecordState) -> frozenset[RecordState | None]:
    """Return the states to which a work may bring a record; None stands for no row."""
    match name, before:
        case "prune", RecordState.DELIVERED:
            return frozenset({before, RecordState.PRUNED, None})
        case "make_room", RecordState.DELIVERED:
            return frozenset({before, RecordState.PRUNED})
        case "sync", RecordState.PENDING:
            return frozenset({before, RecordState.DELIVERED})
        case _:
            return frozenset({before})
