"""The manifest in force: what is taken in, what stays, and nothing is left when it has ended."""

import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from agent.process.offer_result import ACCEPTED, OfferResult
from agent.record import signing
from hardware.button import ButtonChange, ButtonEvent, ButtonName
from hardware.clock import ClockSource
from tests.support.benchtop import Bench, Parts, bench
from tests.support.fleet import (
    ALLOWED,
    FORBIDDEN,
    NOON,
    SIGNED,
    Stored,
    fleet_device,
    offer,
    offer_text,
    reason,
    round_of,
    stored,
)
from tests.support.roads import KEY, payload_of, signed

EVENING = datetime(2026, 12, 1, 18, 0, 5, tzinfo=UTC)


def test_ended_document_is_deleted_and_its_version_stays(tmp_path: Path) -> None:
    """The test of the wipe proves that nothing is left of it in the blocks."""
    with round_of(tmp_path, ALLOWED) as device:
        device.hear_time(EVENING)
        device.tick()

        assert stored(device.layout) == Stored(None, 7)
        assert not list(device.layout.trust.glob("manifest.[jop]*"))
        assert reason(device.press()) == "manifest_expired"


def test_no_manifest_is_ever_in_the_queue(tmp_path: Path) -> None:
    """SQLite leaves its pages on the card."""
    with round_of(tmp_path, ALLOWED) as device:
        device.press()
        token = stored(device.layout).token or ""
        queue = b"".join(path.read_bytes() for path in device.layout.queue.iterdir())

        assert token
        assert token[-40:].encode() not in queue


def test_document_ends_also_while_the_device_was_off(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED):
        pass
    with fleet_device(tmp_path, now=EVENING) as device:
        assert stored(device.layout) == Stored(None, 7)
        assert reason(device.press()) == "manifest_expired"


def test_document_that_no_current_key_signed_is_wiped(tmp_path: Path) -> None:
    """Such a manifest would never end, for nobody could read when."""
    with round_of(tmp_path, ALLOWED):
        pass
    (tmp_path / "backend.pem").write_bytes(signing.public_pem(signing.new_key().public_key()))
    with restarted(tmp_path) as device:
        device.tick()

        assert stored(device.layout) == Stored(None, 7)
        assert device.loop.status()["manifest_refused"] == signing.UNKNOWN_SIGNER


def restarted(folder: Path) -> AbstractContextManager[Bench]:
    """The device of `fleet_device`, with the keys as they lie there, before its first turn."""
    backend = {"receipt_keys": [str(folder / "backend.pem")]}
    parts = Parts(witness=ClockSource.UNSYNCED)
    policy = {"manifest": "required"}
    return bench(folder, parts, policy=policy, backend=backend, device={"id": "dev-1"})


def test_keys_that_cannot_be_read_for_a_while_cost_no_manifest(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED):
        key_file = tmp_path / "backend.pem"
        content = key_file.read_bytes()
    key_file.write_bytes(b"")
    with restarted(tmp_path) as device:
        device.hear_time(NOON)
        device.tick()
        before = device.press()["record"]["manifest"]
        key_file.write_bytes(content)
        device.tick()

        assert before == "none"
        assert device.press()["record"]["manifest"] == 7


# What is taken in


def today_until(ends: datetime) -> dict[str, Any]:
    times = (ends - timedelta(hours=9), ends)
    begins_utc, ends_utc = (f"{at:%Y-%m-%dT%H:%M:%S}Z" for at in times)
    return payload_of(ALLOWED) | {"begins": begins_utc, "ends": ends_utc}


def test_a_clock_that_was_wrong_costs_the_route_only_as_long(tmp_path: Path) -> None:
    """By a battery clock that is two hours ahead it has ended, which wipes it.

    The same version is taken in again when it is fetched again; an older one never is.
    """
    now = datetime.now(UTC) - timedelta(hours=2)
    payload = today_until(now + timedelta(hours=1))
    with off_net(tmp_path) as device:
        offer(device, payload)
        before = stored(device.layout).version
        device.parts.witness = ClockSource.RTC
        device.tick()
        wiped = stored(device.layout)
        refused = offer_text(device, signed(payload))
        device.hear_time(now)
        device.tick()
        older = offer_text(device, signed(payload | {"version": 6}))
        back = offer_text(device, signed(payload))

        assert before == 7
        assert wiped == Stored(None, 7)
        assert refused == OfferResult("it has ended already", retry=True)
        assert older == OfferResult("version 6 is not newer than 7, which was here")
        assert back == ACCEPTED
        assert device.press()["record"]["manifest"] == 7


def off_net(folder: Path) -> AbstractContextManager[Bench]:
    """A fleet device that has no time yet."""
    folder.mkdir(exist_ok=True)
    (folder / "backend.pem").write_bytes(signing.public_pem(KEY.public_key()))
    return restarted(folder)


def test_the_same_one_again_changes_nothing_and_is_not_told_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that takes the ETag away makes sync fetch it every minute."""
    caplog.set_level("INFO")
    with round_of(tmp_path, ALLOWED) as device:
        first = stored(device.layout).token or ""
        for _ in range(3):
            assert offer_text(device, first) == ACCEPTED
            device.tick()

        assert device.loop.status()["manifest_refused"] is None
    assert caplog.text.count("event=manifest_taken") == 1


def test_a_press_that_comes_while_the_process_starts_has_the_route_in_hand(tmp_path: Path) -> None:
    with round_of(tmp_path, SIGNED):
        pass
    with restarted(tmp_path) as device:
        device.parts.fix(utc=None)
        edge_ns = device.touch()
        device.loop.on_event(ButtonEvent(ButtonName.PHOTO, ButtonChange.PRESSED, edge_ns))
        device.loop.stop()
        device.run()

        assert device.replies[-1]["record"]["manifest"] == 7


def test_remains_of_a_power_cut_stay_until_the_successor_comes_again(tmp_path: Path) -> None:
    """The number of the next one was kept, and the power went before it was there."""
    with round_of(tmp_path, ALLOWED) as device:
        (device.layout.trust / "manifest.version").write_text("8")
    with fleet_device(tmp_path) as device:
        before = device.press()["record"]["manifest"]
        taken = [
            offer_text(device, signed(payload_of(SIGNED) | {"version": number}))
            for number in (7, 8, 8)
        ]

        assert before == 7
        assert [one.error is None for one in taken] == [False, True, False]
        assert device.press()["record"]["manifest"] == 8


def test_document_that_cannot_be_written_is_not_in_hand(tmp_path: Path) -> None:
    with round_of(tmp_path, ALLOWED) as device:
        (device.layout.trust / "manifest.part").mkdir()
        verdict = offer_text(device, signed(payload_of(SIGNED) | {"version": 8}))

        assert verdict.retry
        assert "manifest" in (verdict.error or "")
        assert device.press()["record"]["manifest"] == 7


def test_an_offer_that_is_being_taken_in_keeps_no_press_waiting(tmp_path: Path) -> None:
    """The card is slow: it takes for ever to flush."""
    with round_of(tmp_path, ALLOWED) as device:
        lock = device.loop.documents.manifest._changing  # noqa: SLF001 - held as while it writes
        with lock:
            began_s = time.monotonic()
            device.tick()
            record = device.press()["record"]
            took_s = time.monotonic() - began_s

        assert record["manifest"] == 7
        assert took_s < 2


# Hostile ones


def with_stop(**members: Any) -> dict[str, Any]:
    payload = payload_of(ALLOWED, FORBIDDEN)
    payload["stops"][0] |= members
    return payload


WORST: Final[dict[str, str]] = {
    "nothing": "",
    "megabytes": "A" * 5_000_000,
    "a code with a NUL": signed(with_stop(codes=["C1\0"])),
    "an id with a path": signed(with_stop(id="../../../etc/passwd")),
    "north of the pole": signed(with_stop(lat_deg=90.001)),
}


@pytest.mark.parametrize("token", WORST.values(), ids=WORST.keys())
def test_the_worst_are_refused_whole_with_a_short_word_and_nothing_of_them(
    tmp_path: Path, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The message about it quotes no code, no id and no place, and fits into a line."""
    with fleet_device(tmp_path) as device:
        verdict = offer_text(device, token)
        device.tick()
        reply = device.press()

        assert stored(device.layout) == Stored(None, None)
        assert reason(reply) == "manifest_missing"
        assert device.parts.camera.starts == 0
        assert 0 < len(verdict.error or "") < 250
        assert device.loop.status()["manifest_refused"] == verdict.error
    assert caplog.text.count("event=manifest_refused") == 1
    for secret in ("C1", "passwd", "52.52", "90.001"):
        assert secret not in caplog.text
