"""Faults of the device itself: camera, card, queue, receiver, battery, power cuts, settings."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from agent.errors import DoorstepError
from agent.queue.database import Database
from tests.scenarios.faults import (
    Seen,
    check_chain,
    check_nothing_lost,
    fault,
    light_of_press,
    on_small_card,
    press,
    press_in_vain,
    rows_of,
    seen,
    state_of,
)
from tests.support.backend import Backend
from tests.support.busy import busy
from tests.support.card import full
from tests.support.device import Device, device, environment
from tests.support.factory import fill, remount
from tests.support.nmea import Receiver, free_port, gpsd
from tests.support.sensor import LatePicamera, install_picamera

STALE_S: Final = 5.5
"""A fix older than 5 s is no place."""


# The camera


def _camera(folder: Path, what: str) -> Seen:
    with device(folder, f'[[at]]\npress = 2\ncamera = "{what}"\n') as van:
        van.start("capture")
        before = van.press()
        reply = press(van)
        result = seen(van, reply)
        code = van.wait("capture")
        van.set_world("")
        van.start("capture")
        after = van.press()

        assert code == 70
        check_nothing_lost(van, [before, reply, after])
        check_chain(van)
        return result


@fault("the camera stalls")
def camera_stalls(folder: Path, _: Backend) -> Seen:
    return _camera(folder, "stall")


@fault("the camera reports an error")
def camera_fails(folder: Path, _: Backend) -> Seen:
    return _camera(folder, "fail")


@fault("the camera is missing at the start")
def camera_missing(folder: Path, _: Backend) -> Seen:
    with device(folder, camera={"kind": "v4l2", "device": 63}) as van:
        van.start("capture", ready=False)
        code = van.wait("capture")

        assert van.queue() == []
        return Seen(f"{van.log('capture')}\nexit {code}", van.lights()[-1:], [])


# The card


@fault("less room on the card than `state.reserve_mb`")
def card_nearly_full(folder: Path, _: Backend) -> Seen:
    with on_small_card(folder, reserve_mb=2) as (van, card):
        before = van.press()
        ballast = fill(card)
        os.truncate(ballast, ballast.stat().st_size - 1_000_000)
        reply = press(van)
        result = seen(van, reply)
        ballast.unlink()
        after = press(van)

        assert after["label"]["kind"] == "photo"
        check_nothing_lost(van, [before, reply, after])
        check_chain(van)
        return result


@fault("not even an empty file can be made")
def card_full(folder: Path, _: Backend) -> Seen:
    with on_small_card(folder) as (van, card):
        before = van.press()
        with full(card):
            press_in_vain(van)
            light = light_of_press(van)
        after = press(van)

        assert [row["kind"] for row in van.queue()] == ["chain_start", "photo", "photo"]
        check_nothing_lost(van, [before, after])
        check_chain(van)
        return Seen(van.log("capture"), light, [])


@fault("the card goes read-only")
def card_read_only(folder: Path, _: Backend) -> Seen:
    with on_small_card(folder) as (van, card):
        before = van.press()
        remount(card, "abort")
        press_in_vain(van)
        light = light_of_press(van)
        status = van.run("status", "--json")

        assert status.returncode == 0, status.stderr
        assert json.loads(status.stdout)["capture"]["ready"] is False
        assert [row["kind"] for row in van.queue()] == ["chain_start", "photo"]
        check_nothing_lost(van, [before])
        check_chain(van)
        return Seen(van.log("capture"), light, [])


# The queue


@contextmanager
def queue_held(van: Device) -> Iterator[None]:
    """Another program keeps the queue for itself."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        database = Database(van.layout)
        with database.step():
            held.set()
            done.wait(60)
        database.close()

    holding = threading.Thread(target=hold)
    holding.start()
    assert held.wait(10)
    try:
        yield
    finally:
        done.set()
        holding.join()


@fault("the queue cannot be written")
def queue_locked(folder: Path, _: Backend) -> Seen:
    with device(folder) as van:
        van.start("capture")
        before = van.press()
        with queue_held(van):
            said = press_in_vain(van)
            light = light_of_press(van)
        assert "kept, but not yet queued" in said
        van.await_that(lambda: len(van.queue()) == 3)
        late = van.queue()[-1]

        check_nothing_lost(van, [before])
        check_chain(van)
        return Seen(van.log("capture"), light, [late["kind"], late["state"]])


# Power cuts


@fault("a power cut between the file and its row")
def cut_before_row(folder: Path, _: Backend) -> Seen:
    with device(folder) as van:
        van.start("capture")
        before = van.press()
        with queue_held(van), ThreadPoolExecutor(1) as pool:
            pressed = pool.submit(_press_into_a_cut, van)
            van.await_that(lambda: len(list(van.layout.records.glob("*.rec"))) == 3)
            van.stop("capture", signal.SIGKILL)
            pressed.result(30)
        shown, known = van.lights()[-1], {row["capture_id"] for row in van.queue()}
        van.start("capture")
        (late,) = [row for row in van.queue() if row["capture_id"] not in known]

        assert late["attempts"] == 0
        assert shown not in {"saved", "once_more"}
        check_nothing_lost(van, [before])
        check_chain(van)
        return Seen(van.log("capture"), [], [late["kind"], late["state"]])


def _press_into_a_cut(van: Device) -> None:
    with pytest.raises(DoorstepError, match="no usable answer"):
        press(van)


def _left_behind(folder: Path, leave: Callable[[Path], None]) -> Seen:
    """Stop the device, leave something among its records, and start it again."""
    with device(folder) as van:
        van.start("capture")
        before = van.press()
        van.stop("capture", signal.SIGKILL)
        leave(van.layout.records)
        van.start("capture")
        after = van.press()

        assert after["label"]["seq"] == before["label"]["seq"] + 1
        assert len(van.queue()) == 3
        check_nothing_lost(van, [before, after])
        check_chain(van)
        return Seen(van.log("capture"), [], [])


@fault("a power cut left a `.part` file")
def part_left(folder: Path, _: Backend) -> Seen:
    def leave(records: Path) -> None:
        (records / "2f1c8a44-9d1c-4f7b-8a51-0f0a35e1f7b1.part").write_bytes(b"eyJ")

    return _left_behind(folder, leave)


@fault("a power cut left a torn record")
def torn_left(folder: Path, _: Backend) -> Seen:
    torn = "2f1c8a44-9d1c-4f7b-8a51-0f0a35e1f7b1.rec"

    def leave(records: Path) -> None:
        whole = next(iter(records.glob("*.rec"))).read_bytes()
        (records / torn).write_bytes(whole[: len(whole) // 2])

    result = _left_behind(folder, leave)
    assert (folder / "state" / "torn" / torn).stat().st_size > 0
    return result


# The receiver


@contextmanager
def told_by_gpsd(lines: Callable[[], bytes]) -> Iterator[str]:
    """Something listens where gpsd should, and says these lines over and over."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_tell, args=(listening, lines), daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def _tell(listening: socket.socket, lines: Callable[[], bytes]) -> None:
    while True:
        try:
            peer, _ = listening.accept()
        except OSError:
            return
        with peer:
            try:
                while True:
                    peer.sendall(lines())
                    time.sleep(0.1)
            except OSError:
                continue


@fault("gpsd sends garbage")
def gps_garbage(folder: Path, _: Backend) -> Seen:
    noise = b'\xff\xfe{"class":"TPV","mode":3,"lat":"north","lon":1e999}\n[[[[\n{"class":\n' * 3
    with (
        told_by_gpsd(lambda: noise) as address,
        device(folder, position={"kind": "gpsd", "gpsd": address}) as van,
    ):
        van.start("capture")
        van.await_that(lambda: "event=position_trouble" in van.log("capture"), 30.0)
        reply = van.press()

        assert reply["record"]["position"] is None
        return seen(van, reply)


@fault("the receiver has no fix")
def no_fix(folder: Path, _: Backend) -> Seen:
    with device(folder, '[[at]]\nsecond = 0\nfix = "none"\n') as van:
        van.start("capture")
        reply = van.press()

        assert reply["record"]["position"] is None
        assert "lat_deg" not in json.dumps(reply)
        return seen(van, reply)


@fault("the receiver is unplugged")
def unplugged(folder: Path, _: Backend) -> Seen:
    receiver, port = Receiver(), free_port()
    position = {"kind": "gpsd", "gpsd": f"127.0.0.1:{port}"}
    with gpsd(receiver.port, port), device(folder, position=position) as van:
        van.start("capture")
        van.await_that(lambda: "event=position_heard" in van.log("capture"))
        time.sleep(1.5)
        with_fix = van.press()
        receiver.unplug()
        time.sleep(STALE_S)
        reply = van.press()
        result = seen(van, reply)
        van.await_that(lambda: "event=position_trouble" in van.log("capture"), 30.0)

        assert with_fix["record"]["position"]["mode"] == 3
        assert reply["record"]["position"] is None
        assert "lat_deg" not in json.dumps(reply)
        return Seen(van.log("capture"), result.light, result.states)


@fault("the accelerometer is missing")
def no_accelerometer(folder: Path, _: Backend) -> Seen:
    with device(folder, motion={"kind": "iio", "sysfs": "no-sensor"}) as van:
        van.start("capture")
        reply = van.press()
        result = seen(van, reply)
        words = "accelerometer silent"
        van.await_that(lambda: words in json.dumps(van.ask("capture", {"status": True})), 90.0)
        status = json.loads(van.run("status", "--json").stdout)

        assert status["capture"]["energy"] == words
        assert "energy" in status["needs"]
        return result


@fault("the receiver's date is before the time floor")
def date_before_floor(folder: Path, _: Backend) -> Seen:
    report = (
        b'{"class":"TPV","mode":3,"lat":52.5,"lon":13.4,"eph":9.0,'
        b'"time":"2007-04-13T10:00:00.000Z"}\n'
    )
    with (
        told_by_gpsd(lambda: report) as address,
        device(
            folder,
            '[[at]]\nsecond = 0\nclock = "unsynced"\n',
            position={"kind": "gpsd", "gpsd": address},
        ) as van,
    ):
        van.start("capture")
        van.await_that(lambda: "event=gnss_time_refused" in van.log("capture"))
        reply = van.press()

        assert reply["label"]["clock"] == "unsynced"
        assert reply["label"]["utc"] > "2026"
        assert reply["record"]["position"]["utc"] is None
        assert [row["kind"] for row in van.queue()] == ["chain_start", "photo"]
        return seen(van, reply)


# The battery


@fault("the battery is empty")
def battery_empty(folder: Path, _: Backend) -> Seen:
    with device(folder, "[[at]]\npress = 1\nbattery_pct = 4\n") as van:
        van.start("capture")
        before = van.press()
        assert before["label"]["kind"] == "photo", "one reading refuses no press"
        van.await_that(lambda: "event=battery_empty" in van.log("capture"))
        reply = press(van)
        result = seen(van, reply)
        code = van.wait("capture")

        assert "event=shut_down" in van.log("capture")
        assert code == 0
        check_nothing_lost(van, [before, reply])
        return Seen(van.log("capture"), result.light, result.states)


@fault("the fuel gauge falls silent")
def silent_gauge(folder: Path, _: Backend) -> Seen:
    world = "[[at]]\nsecond = 0\ngauge = false\n"
    with device(folder, world, power={"kind": "simulated", "gauge": True}) as van:
        van.start("capture")
        van.await_that(lambda: "event=energy_trouble" in van.log("capture"), 90.0)
        van.await_that(lambda: "battery_low" in van.lights())
        reply = press(van)
        told = json.loads(van.run("status", "--json").stdout)
        result = seen(van, reply)

        assert told["capture"]["energy"] == "fuel gauge silent"
        assert "energy" in told["needs"]
        return Seen(result.log, ["battery_low", *result.light], result.states)


# Starting


@fault("the processor is busy with other work at the start and at the first press")
def busy_processor(folder: Path, _: Backend) -> Seen:
    parts = folder / "parts"
    with (
        device(folder, camera={"kind": "picamera2"}) as van,
        environment(PYTHONPATH=str(parts)),
    ):
        install_picamera(parts, LatePicamera)
        with busy(van.start("capture", ready=False).pid):
            van.await_that(lambda: "ready" in van.lights(), 120.0)
            reply = van.press()

        check_nothing_lost(van, [reply])
        return Seen(
            van.log("capture"), van.lights()[:5], [reply["label"]["kind"], state_of(van, reply)]
        )


@fault("a second `doorstep capture` is started")
def second_capture(folder: Path, _: Backend) -> Seen:
    with device(folder) as van:
        van.start("capture")
        second = van.run("capture")
        reply = van.press()

        assert len(rows_of(van, reply)) == 1
        return Seen(f"{second.stderr}\nexit {second.returncode}", [], [])


@fault("settings are wrong or unknown")
def wrong_settings(folder: Path, _: Backend) -> Seen:
    van = Device(folder, camera={"kind": "canon"}, policy={"manifest": "on"}, state={"resrve": 1})
    started = van.run("capture")

    assert not van.layout.state.exists()
    return Seen(f"{started.stderr}\nexit {started.returncode}", [], [])
