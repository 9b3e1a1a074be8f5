"""A machine in QEMU, without KVM: it boots, is spoken to over SSH, and can lose its power."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.nmea import free_port

BOOT_WITHIN_S: Final = 1800.0
"""Longest wait for SSH: 50 s on two idle cores; beside much other work the kernel
alone took 260.
"""

SHUT_DOWN_WITHIN_S: Final = 180.0
"""Longest wait for the power to go off: systemd gives a service 90 s to end."""

COMMAND_S: Final = 180.0
"""Longest command that sets no other limit: beside other work Python alone starts in 20 s."""

MEMORY_MB: Final = 476
"""RAM: Debian's kernel calls 426 MB of it MemTotal, as that of a Zero 2 W does of 512 MB (picamera2
#1358); on a Pi the firmware takes the rest.
"""

CAMERA_PAGES: Final = 48
"""Pages of 2 MB that nothing uses, 96 MB in all, in place of `cma=96M`: Debian's kernel for x86-64
has no CMA. This is stricter than a Pi: there the kernel lends what the camera leaves free.
"""

PROCESSOR: Final = "max,-avx"
"""Every feature that QEMU emulates, except AVX, which it emulates slowly.

OpenCV uses AVX if the processor has it: then the sharpness of a picture took 0.98 s, without AVX
0.25 s (November 2026).
"""

_KERNEL: Final = "console=ttyS0 root=/dev/vda rw net.ifnames=0 mitigations=off quiet"


class CommandFailed(Exception):
    """A command in the machine did not end well; `code` is its own, 255 where SSH failed."""

    def __init__(self, command: str, code: int, told: str) -> None:
        super().__init__(f"`{command}` in the machine ended with {code}:\n{told[-3000:]}")
        self.code, self.told = code, told


class NotUp(Exception):
    """The machine did not come up in time, or ended before."""


@dataclass(frozen=True, slots=True)
class Image:
    """A disk that was built once, from which any number of machines start.

    Attributes:
        base: a raw disk; nobody writes it any more, see `overlay`.
        key: the private half of the SSH key that root and the technician accept.
    """

    kernel: Path
    initrd: Path
    base: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Ran:
    """The result of a command in the machine."""

    code: int
    out: str
    err: str


def overlay(below: Path, disk: Path) -> Path:
    """Make `disk` a copy of `below` that keeps only what differs; `below` must stay as it is."""
    kind = "qcow2" if below.suffix == ".qcow2" else "raw"
    disk.unlink(missing_ok=True)
    _qemu_img("create", "-q", "-f", "qcow2", "-F", kind, "-b", str(below.resolve()), str(disk))
    return disk


class Machine:
    """A machine with its disk; the contents of the disk outlive the machine.

    A power cut is `cut_power` and `boot`. What the guest has flushed is in a file of this host's
    and stays; what was only in the guest's memory is gone. A disk that lies about its flushes is
    not part of it.

    Attributes:
        port: on 127.0.0.1, leads to the machine's SSH.
        serial: its console, for all boots.
    """

    def __init__(
        self,
        image: Image,
        disk: Path,
        *,
        starts: str = "",
        network: bool = True,
    ) -> None:
        """Prepare it; nothing runs yet.

        Args:
            image: its kernel and key.
            disk: qcow2, from `overlay`.
            starts: what its hardware clock says at each boot, as in `1971-01-01T00:00:00`; the
                host's time where empty.
            network: whether it reaches anything; SSH into it works without, too.
        """
        self.image, self.disk = image, disk
        self.clock, self.network = starts, network
        self.port: Final = free_port()
        self.serial: Final = disk.with_suffix(".serial.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._master: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="device-"))  # short, as a socket's path must be

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut_power()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """The machine has power: False once it switched itself off."""
        return self._process is not None and self._process.poll() is None

    @property
    def boot_id(self) -> str:
        return self.run("cat /proc/sys/kernel/random/boot_id").strip()

    def boot(self, within_s: float = BOOT_WITHIN_S) -> float:
        """Switch it on, and wait for SSH; how long that took, in seconds.

        Raises:
            NotUp: it did not come up, with the end of its console.
        """
        assert not self.is_running, "it runs already"
        began_s = time.monotonic()
        with self.serial.with_suffix(".qemu").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.await_ssh(within_s)
        return time.monotonic() - began_s

    def await_ssh(self, within_s: float) -> None:
        """Wait until a command can be run, as after a reboot. Raises NotUp."""
        end_s = time.monotonic() + within_s
        self._hang_up()
        while not self._greets() or self.ask("true", timeout_s=60.0).code != 0:
            if not self.is_running:
                raise NotUp(f"QEMU ended; its console:\n{self.console()}")
            if time.monotonic() > end_s:
                raise NotUp(f"no SSH within {within_s:.0f} s; its console:\n{self.console()}")
            time.sleep(0.5)
        self._keep_a_line_open()

    def cut_power(self) -> None:
        """Take its power away: `kill -9` of QEMU. Harmless when it is off."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._hang_up()

    def shut_down(self) -> None:
        """Have it power itself off, and wait for it.

        Raises:
            subprocess.TimeoutExpired: it did not.
        """
        self.ask("systemctl poweroff --no-block")
        self.await_off(SHUT_DOWN_WITHIN_S)

    def await_off(self, within_s: float) -> None:
        """Wait until it switched itself off. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        self._process.wait(within_s)
        self._hang_up()

    def ask(self, command: str, timeout_s: float = COMMAND_S, *, user: str = "root") -> Ran:
        """Run a shell command in it, whatever it comes to; 255 is SSH's own code, 124 too late."""
        words = ["ssh", *self._options(user), f"{user}@127.0.0.1", command]
        try:
            ran = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            out = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else ""
            return Ran(124, out, f"not within {timeout_s:g} s")
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def run(self, command: str, timeout_s: float = COMMAND_S, *, user: str = "root") -> str:
        """Run a shell command in it; what it printed.

        Raises:
            CommandFailed: it ended with another code than 0, or not in time (124).
        """
        ran = self.ask(command, timeout_s, user=user)
        if ran.code != 0:
            raise CommandFailed(command, ran.code, ran.out + ran.err)
        return ran.out

    def spawn(self, command: str, *, user: str = "root") -> subprocess.Popen[str]:
        """Start a command in it, and read its lines while it goes on; the caller ends it."""
        words = ["ssh", *self._options(user), f"{user}@127.0.0.1", command]
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def copy_in(self, here: Path, there: str) -> None:
        """Copy a file or a folder into it, as root."""
        options = self._options("root")
        options[options.index("-p")] = "-P"
        words = ["scp", "-q", "-r", *options, str(here), f"root@127.0.0.1:{there}"]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
        if ran.returncode != 0:
            raise CommandFailed(" ".join(words[-2:]), ran.returncode, ran.stderr)

    def console(self, lines: int = 30) -> str:
        """The last lines of its serial console, and what QEMU itself said."""
        said = [self.serial, self.serial.with_suffix(".qemu")]
        texts = [one.read_text(errors="replace") for one in said if one.exists()]
        return "\n".join("\n".join(text.splitlines()[-lines:]) for text in texts)

    def _command(self) -> Sequence[str]:
        told = f"{_KERNEL} hugepagesz=2M hugepages={CAMERA_PAGES}"
        forward = f"hostfwd=tcp:127.0.0.1:{self.port}-:22"
        restrict = "" if self.network else ",restrict=on"
        clock = ["-rtc", f"base={self.clock}"] if self.clock else []
        return [
            *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", PROCESSOR, "-smp", "2"),
            *("-machine", "q35", "-m", str(MEMORY_MB), "-display", "none"),
            *("-chardev", f"file,id=console,path={self.serial},append=on"),
            *("-serial", "chardev:console"),
            *("-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd)),
            *("-append", told),
            *("-drive", f"file={self.disk},format=qcow2,if=virtio"),
            *("-netdev", f"user,id=n,{forward}{restrict}"),
            *("-device", "virtio-net,netdev=n", "-device", "virtio-rng"),
            *("-device", "i6300esb", "-action", "watchdog=reset"),
            *clock,
        ]

    def _options(self, user: str) -> list[str]:
        options = ["-q", "-i", str(self.image.key), "-p", str(self.port)]
        told = {
            "StrictHostKeyChecking": "no",  # each machine is made anew, on loopback
            "UserKnownHostsFile": "/dev/null",
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "ConnectTimeout": "60",
            "ServerAliveInterval": "30",
            "ControlPath": str(self._folder / user),
        }
        return options + [word for name in told for word in ("-o", f"{name}={told[name]}")]

    def _greets(self) -> bool:
        """True if sshd answers: QEMU itself accepts the connection from the first moment on."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2.0) as line:
                line.settimeout(5.0)
                return line.recv(4) == b"SSH-"
        except OSError:
            return False

    def _keep_a_line_open(self) -> None:
        """Emulated, a handshake costs a second or two: the commands share one."""
        words = ["ssh", "-M", "-N", *self._options("root"), "root@127.0.0.1"]
        self._master = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def _hang_up(self) -> None:
        if self._master is not None:
            self._master.terminate()
            self._master.wait()
            self._master = None
        (self._folder / "root").unlink(missing_ok=True)


def _qemu_img(*words: str) -> None:
    subprocess.run(["qemu-img", *words], check=True)
