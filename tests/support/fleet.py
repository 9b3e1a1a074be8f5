"""Fleet devices on a bench: a route in hand, a place, and a time that passes when told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.capture.lights import MOTOR_STOPS_S
from agent.process.offer_result import OfferResult
from agent.queue.paths import Layout
from agent.record import signing
from agent.rule.manifest import PhotoRule, RouteStop
from agent.trust.store import TrustStore
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.clock import ClockSource
from hardware.indicator import Signal
from hardware.patterns import sounding_s
from tests.support.benchtop import Bench, Parts, bench
from tests.support.roads import KEY, away, payload_of, signed, stop_at

HOME: Final = (52.5200066, 13.404954)
"""Position of the bench's fix."""

NEXT: Final = away(HOME, 90.0, 300.0)
"""Too far to be meant by a fix at HOME."""

NOON: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)

ALLOWED: Final = stop_at(HOME, 1)
FORBIDDEN: Final = stop_at(HOME, 2, PhotoRule.NO_PHOTO)
SIGNED: Final = stop_at(HOME, 3, PhotoRule.SIGNATURE_REQUIRED)
ELSEWHERE: Final = stop_at(NEXT, 4)


@contextmanager
def round_of(folder: Path, *stops: RouteStop, parts: Parts | None = None) -> Iterator[Bench]:
    """Make a device at HOME with this route in force."""
    with fleet_device(folder, parts or Parts()) as device:
        offer(device, payload_of(*stops))
        yield device


@contextmanager
def fleet_device(
    folder: Path, parts: Parts | None = None, now: datetime = NOON, **policy: Any
) -> Iterator[Bench]:
    """Make a device named dev-1 that trusts KEY, has no route yet, and knows the time."""
    parts = parts or Parts()
    folder.mkdir(exist_ok=True)
    parts.witness = ClockSource.UNSYNCED
    key_file = folder / "backend.pem"
    key_file.write_bytes(signing.public_pem(KEY.public_key()))
    settings = {"manifest": "required"} | policy
    backend = {"receipt_keys": [str(key_file)]}
    with bench(folder, parts, policy=settings, backend=backend, device={"id": "dev-1"}) as device:
        device.hear_time(now)
        device.tick()
        yield device


def offer(device: Bench, payload: dict[str, Any], **how: Any) -> str:
    """Offer a manifest as sync does; return it."""
    token = signed(payload, **how)
    offer_text(device, token)
    return token


def offer_text(device: Bench, text: str) -> OfferResult:
    return device.loop.documents.manifest.offer(text)


@dataclass(frozen=True)
class Stored:
    """The files of the manifest in `trust/`."""

    token: str | None
    version: int | None


def stored(layout: Layout) -> Stored:
    trust = TrustStore(layout)
    return Stored(trust.manifest(), trust.manifest_version())


def tap_scan(device: Bench) -> None:
    """Press the scan button and let go."""
    pressed_ns = device.parts.now()
    device.parts.now.pass_s(0.1)
    for change in (ButtonChange.TOUCHED, ButtonChange.PRESSED, ButtonChange.RELEASED):
        at_ns = device.parts.now() if change is ButtonChange.RELEASED else pressed_ns
        device.loop.on_event(ButtonEvent(ButtonName.SCAN, change, at_ns))
        device.step()


def scan(device: Bench, code: str) -> None:
    """Press the scan button and hold a label up, at which one picture looks.

    The device looks once the tone and the vibration of "hold the label up" are over.
    """
    tap_scan(device)
    device.parts.camera.label = code
    device.tick(sounding_s(Signal.READING) + MOTOR_STOPS_S)


def reason(reply: dict[str, Any]) -> str:
    """Return the reason why there is no photo."""
    return str(reply["record"]["reason"])
