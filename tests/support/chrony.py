"""A real chronyd that leaves this machine's clock alone, and a receiver that it listens to."""

import getpass
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

from tests.support.nmea import free_port
from tests.support.waiting import until

UNPACKED: Final = Path(__file__).parents[2] / "build/chrony/usr/sbin/chronyd"
"""Folder into which `scripts/test` unpacks it: its installation would remove timesyncd."""

_SAMPLE: Final = struct.Struct("@qqdiiii")
"""Time of the sample, offset, pulse, leap, padding, magic. Source: chrony's refclock_sock.c."""

_MAGIC: Final = 0x534F434B


def chronyd_program() -> str:
    """Return the path of chronyd."""
    found = shutil.which("chronyd") or shutil.which("chronyd", path="/usr/sbin")
    program = found or str(UNPACKED)
    assert Path(program).exists(), "this needs chronyd: `scripts/test` unpacks it"
    return program


@contextmanager
def chronyd(folder: Path, *lines: str) -> Iterator[int]:
    """Run one with these lines of configuration; the port where it answers what it follows."""
    folder.mkdir(parents=True, exist_ok=True)
    port, configuration = free_port(), folder / "chrony.conf"
    own = [f"cmdport {port}", "bindcmdaddress 127.0.0.1", "bindcmdaddress /"]
    own += [f"pidfile {folder}/pid", f"driftfile {folder}/drift"]
    configuration.write_text("\n".join([*own, *lines]) + "\n")
    command = [chronyd_program(), "-x", "-U", "-d", "-u", getpass.getuser(), "-f"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([*command, configuration], stdout=log, stderr=log)
    try:
        until(
            lambda: b"clock" in (folder / "log").read_bytes(),
            told=(folder / "log").read_text,
        )
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@contextmanager
def receiver(folder: Path) -> Iterator[str]:
    """Send chrony the time, as gpsd does; yield the line that listens to it."""
    address, ends = folder / "gps.sock", Event()

    def tell() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            while not ends.wait(0.1):
                now_s = time.time()
                whole_s, rest_us = int(now_s), int(now_s % 1 * 1e6)
                sample = _SAMPLE.pack(whole_s, rest_us, 0.0, 0, 0, 0, _MAGIC)
                if address.exists():
                    sender.sendto(sample, os.fspath(address))

    thread = Thread(target=tell)
    thread.start()
    try:
        yield f"refclock SOCK {address} refid GPS poll 0 filter 1 precision 1e-3"
    finally:
        ends.set()
        thread.join()


def own_address() -> str:
    """Return an address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
