"""The gpsd client: its parser, and the client against a real gpsd and against worse."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.drivers import position_gpsd
from hardware.drivers.position_gpsd import (
    MAX_LINE_BYTES,
    SILENT_S,
    GpsdPosition,
    Lines,
    NoFix,
    Sky,
    parse,
)
from hardware.position import Fix
from hardware.settings import PositionSettings
from tests.support.nmea import Receiver, free_port, gpsd
from tests.support.waiting import until

TPV = {
    "class": "TPV",
    "mode": 3,
    "time": "2026-12-01T09:15:02.000Z",
    "lat": 52.5200066,
    "lon": 13.404954,
    "altMSL": 34.2,
    "eph": 9.5,
    "epx": 5.0,
    "epy": 6.0,
    "speed": 0.4,
}
SECOND_NS = 10**9


def said(**changed: object) -> bytes:
    """A TPV as bytes, with some of it changed; None leaves a field out."""
    report = {**TPV, **changed}
    return json.dumps({name: value for name, value in report.items() if value is not None}).encode()


def fix(line: bytes, sky: Sky | None = None, received_ns: int = SECOND_NS) -> Fix:
    found = parse(line, received_ns, sky or Sky())
    assert isinstance(found, Fix)
    return found


def test_a_fix_has_all_that_gpsd_told() -> None:
    """TPV and the SKY before it make one fix, stamped on arrival."""
    sky = Sky(hdop=1.1, satellites=9, received_ns=SECOND_NS)

    assert fix(said(), sky, received_ns=2 * SECOND_NS) == Fix(
        lat_deg=52.5200066,
        lon_deg=13.404954,
        alt_m=34.2,
        eph_m=9.5,
        hdop=1.1,
        satellites=9,
        mode=3,
        speed_mps=0.4,
        utc=datetime(2026, 12, 1, 9, 15, 2, tzinfo=UTC),
        received_ns=2 * SECOND_NS,
    )


@pytest.mark.parametrize("mode", [None, 0, 1, "3", True])
def test_a_mode_below_two_is_no_fix(mode: object) -> None:
    """gpsd repeats old coordinates with mode 1; they are not taken."""
    assert parse(said(mode=mode), 0, Sky()) == NoFix()


@pytest.mark.parametrize(
    "wrong",
    [
        {"lat": 91.0},
        {"lat": float("nan")},
        {"lon": -180.5},
        {"lon": float("inf")},
        {"lat": None},
        {"lat": "52.5"},
        {"lat": 10**400},
        {"lat": 0.0, "lon": 0.0},
    ],
)
def test_an_impossible_place_is_no_fix(wrong: dict[str, object]) -> None:
    """Never a place outside the globe, and never 0,0."""
    assert parse(said(**wrong), 0, Sky()) == NoFix()


def test_a_2d_fix_has_no_altitude() -> None:
    """In 2D the receiver assumes an altitude; it is not one."""
    assert fix(said(mode=2)).alt_m is None


def test_the_error_of_two_axes_is_combined() -> None:
    """Without eph the axes' errors add as squares; with one of them missing nothing is known."""
    assert fix(said(eph=None, epx=3.0, epy=4.0)).eph_m == 5.0
    assert fix(said(eph=None, epx=None)).eph_m is None
    assert fix(said(eph=float("nan"), epx=None)).eph_m is None


@pytest.mark.parametrize("time_", [None, "", "yesterday", "2026-12-01T09:15:02", 1_764_000_000])
def test_a_fix_without_a_good_time_has_none(time_: object) -> None:
    """The first epochs of a receiver have a place and no time yet."""
    assert fix(said(time=time_)).utc is None


def test_sky_reports_are_merged() -> None:
    """gpsd may tell DOPs and satellites in different reports; older ones list the satellites."""
    dops = parse(b'{"class":"SKY","hdop":0.9}', 1, Sky(satellites=7))
    satellites = b'{"class":"SKY","satellites":[{"used":true},{"used":false},{"used":true},3]}'

    assert dops == Sky(0.9, 7, 1)
    assert parse(satellites, 2, Sky(hdop=0.9)) == Sky(0.9, 2, 2)
    assert parse(b'{"class":"SKY","hdop":99.99,"uSat":8}', 3, Sky()) == Sky(None, 8, 3)


def test_an_old_sky_does_not_complete_a_new_fix() -> None:
    """The satellites of a minute ago say nothing about this fix."""
    old = Sky(hdop=0.9, satellites=9, received_ns=0)

    found = fix(said(), old, received_ns=60 * SECOND_NS)

    assert (found.hdop, found.satellites) == (None, None)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_garbage_is_nothing(line: bytes) -> None:
    """The parser answers any bytes and never raises."""
    assert parse(line, 0, Sky()) is None


@pytest.mark.parametrize(
    "line", [b"[" * 60_000, b"9" * 5_000, b'{"class":["TPV"]}', b"null", b'"TPV"', b""]
)
def test_json_that_is_no_report_is_nothing(line: bytes) -> None:
    """Deep, long or of the wrong kind."""
    assert parse(line, 0, Sky()) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*TPV, "hdop", "uSat", "satellites"]), json_values))
def test_a_report_of_anything_is_a_good_fix_or_none(changed: dict[str, object]) -> None:
    """Values of any type leave no impossible number in a fix."""
    for kind in ("TPV", "SKY"):
        found = parse(json.dumps({**TPV, **changed, "class": kind}).encode(), 0, Sky())
        if isinstance(found, Fix):
            assert -90 <= found.lat_deg <= 90
            assert -180 <= found.lon_deg <= 180
            assert found.eph_m is None or found.eph_m >= 0


def test_an_endless_line_is_dropped_with_its_tail() -> None:
    """Its memory is bounded, and what ends it is no report."""
    lines = Lines()

    assert list(lines.feed(b"x" * (MAX_LINE_BYTES + 1))) == []
    assert list(lines.feed(b"x" * MAX_LINE_BYTES)) == []
    assert list(lines.feed(b"tail\nwhole\nbeg")) == [b"whole"]
    assert list(lines.feed(b"un\n")) == [b"begun"]


def settings(port: int) -> PositionSettings:
    return PositionSettings("gpsd", gpsd=f"127.0.0.1:{port}")


def age_s(position: GpsdPosition) -> float:
    newest = position.last_fix()
    assert newest
    return (time.monotonic_ns() - newest.received_ns) / 1e9


def fresh(position: GpsdPosition) -> bool:
    return position.last_fix() is not None and age_s(position) < 1.0


@contextmanager
def serving(address: str | tuple[str, int], *chunks: bytes) -> Iterator[int]:
    """Serve every connection `chunks`, the last of them over and over."""

    def serve() -> None:
        while True:
            try:
                peer, _ = listening.accept()
                with peer:
                    for chunk in chunks:
                        peer.sendall(chunk)
                    while True:
                        peer.sendall(chunks[-1])
                        time.sleep(0.05)
            except (BrokenPipeError, ConnectionResetError):
                continue
            except OSError:
                return

    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as listening:
        listening.bind(address)
        listening.listen()
        Thread(target=serve, daemon=True).start()
        yield 0 if isinstance(address, str) else listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_a_unix_socket_serves_as_well(tmp_path: Path) -> None:
    """A process without network reads gpsd through a socket file."""
    path = str(tmp_path / "gpsd.sock")
    where = PositionSettings("gpsd", gpsd=f"unix:{path}")
    with serving(path, said() + b"\n"), closing(GpsdPosition(where)) as position:
        until(position.last_fix)

        assert position.trouble() is None
        assert not position.simulated


def test_reports_between_garbage_are_read() -> None:
    """Half lines, endless lines and noise do not keep the next report from being taken."""
    endless = b"x" * (3 * MAX_LINE_BYTES)
    chunks = b"\x00\xff{{{\n", said()[:20], b"\n", endless, said() + b"\n", said() + b"\n"
    with serving(("127.0.0.1", 0), *chunks) as port, closing(GpsdPosition(settings(port))) as one:
        until(one.last_fix)

        assert one.trouble() is None


def test_missing_gpsd_is_reported_with_the_setting() -> None:
    """The technician reads which setting, what happened, and what to look at."""
    with closing(GpsdPosition(settings(free_port()))) as position:
        until(lambda: "refused" in (position.trouble() or ""))

        assert "position.gpsd: 127.0.0.1:" in (position.trouble() or "")
        assert "systemctl status gpsd" in (position.trouble() or "")
        assert position.last_fix() is None


def test_closed_it_listens_no_longer() -> None:
    fix = b'{"class":"TPV","mode":2,"lat":52.5,"lon":13.4}\n'
    before = set(threading.enumerate())
    with serving(("127.0.0.1", 0), fix) as port:
        one = GpsdPosition(settings(port))
        until(one.last_fix)

        one.close()

        assert not [
            thread
            for thread in threading.enumerate()
            if thread.name == "gpsd" and thread not in before
        ]


def test_a_gpsd_that_stays_away_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A line per attempt would fill the card with the same words."""
    monkeypatch.setattr(position_gpsd, "BACKOFF_S", (0.005,))

    with closing(GpsdPosition(settings(free_port()))):
        until(lambda: "event=position_trouble" in caplog.text)
        time.sleep(0.1)  # twenty more attempts

    assert caplog.text.count("event=position_trouble") == 1


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    plugged = Receiver()
    yield plugged
    plugged.unplug()


@pytest.fixture
def position(receiver: Receiver) -> Iterator[GpsdPosition]:
    """A real gpsd's, with a fix."""
    port = free_port()
    with gpsd(receiver.port, port), closing(GpsdPosition(settings(port))) as opened:
        until(lambda: fresh(opened))
        yield opened


@pytest.mark.slow
def test_silent_receiver_is_reported_and_heard(position: GpsdPosition, receiver: Receiver) -> None:
    """Unplugged, gpsd's socket stays open and says nothing; the fix ages until it is back."""
    receiver.silent.set()
    until(lambda: "silent" in (position.trouble() or ""))
    assert age_s(position) > SILENT_S - 1

    receiver.silent.clear()
    until(lambda: fresh(position))
    assert position.trouble() is None


@pytest.mark.slow
def test_unplugged_receiver_is_reported_and_found(
    position: GpsdPosition, receiver: Receiver
) -> None:
    """gpsd lost its device; connecting again makes gpsd look for it."""
    receiver.unplug()
    until(lambda: "silent" in (position.trouble() or ""))

    receiver.plug()
    until(lambda: fresh(position), within_s=40)
    assert position.trouble() is None


@pytest.mark.slow
def test_a_restarted_gpsd_is_found_again(receiver: Receiver) -> None:
    """Meanwhile trouble is reported and the fix ages; afterwards fixes come again."""
    port = free_port()
    with closing(GpsdPosition(settings(port))) as position:
        with gpsd(receiver.port, port):
            until(lambda: fresh(position))
        until(lambda: position.trouble() is not None and not fresh(position))

        with gpsd(receiver.port, port):
            until(lambda: fresh(position))
            assert position.trouble() is None
