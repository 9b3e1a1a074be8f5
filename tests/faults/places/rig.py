"""A backend, alone or behind nginx, an attacker, and probes from another address."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from agent.record import signing
from doorstep_backend import keys
from doorstep_backend.identity.authority import Authority
from tests.faults.places.holding import Phase, Who
from tests.support import nginx
from tests.support.backend import REPOSITORY, Backend
from tests.support.enrolment import enrolled_beside, kept
from tests.support.factory import RecordMaker, new_id
from tests.support.instances import address, instance, port_of
from tests.support.wire import BODY, VERSION, announce, record, tls_line

PROBE: Final = "127.0.0.9"
"""Address of those who are not to notice the attack."""

HOLD_PER_S: Final = 25.0
REFILL_PER_S: Final = 100.0
"""New connections of the attacker each second: in place of ended ones, and always."""

FILL_S: Final = 10.0
"""Time before the first probe: the attacker has as many connections as it gets."""

PAUSE_S: Final = 0.1
"""Between two probes, so that they meet the attack at many moments."""


@dataclass(frozen=True, slots=True)
class Score:
    """Probes that were answered, of all."""

    pages: int
    uploads: int
    probes: int

    def __str__(self) -> str:
        return f"{self.pages}, {self.uploads}"


@dataclass(frozen=True, slots=True)
class Target:
    """A backend that is attacked, and the certificates of the attackers and of the probe."""

    backend: Backend
    is_behind_nginx: bool
    files: dict[Who, tuple[Path, Path]]
    maker: RecordMaker
    identity: tuple[Path, Path]

    def phases(self, who: Who) -> list[Phase]:
        """Return the phases that differ from those of nobody."""
        if who is Who.NOBODY:
            return list(Phase)
        if who is Who.WRONG_TOKEN:
            return [Phase.BODY, Phase.ANSWERED, Phase.IDLE]
        is_let_in = who is Who.DEVICE or self.is_behind_nginx  # else TLS ends it
        return [one for one in Phase if one not in {Phase.TCP, Phase.TLS}] if is_let_in else []

    def attacked(self, who: Who, phase: Phase, probes: int, *, renew: bool) -> Score:
        """Probe pages and uploads during an attack."""
        per_s = REFILL_PER_S if renew else HOLD_PER_S
        how = [str(port_of(self.backend)), who, phase, str(per_s), "renew" if renew else "hold"]
        command = [sys.executable, "-m", "tests.faults.places.holding", *how]
        command += [str(one) for one in self.files.get(who, ())]
        with subprocess.Popen(command, cwd=REPOSITORY) as attacker:
            try:
                time.sleep(FILL_S)
                found = [(self.page(), self.upload()) for _ in range(probes)]
                assert attacker.poll() is None, "the attacker ended by itself"
            finally:
                attacker.kill()
        return Score(sum(one for one, _ in found), sum(two for _, two in found), probes)

    def page(self) -> bool:
        """Return whether a page loads."""
        time.sleep(PAUSE_S)
        return self._ask("GET", "/pages/sign-in") == 200

    def upload(self) -> bool:
        """Return whether another device delivers a record."""
        content = record(self.maker, capture_id := new_id())
        headers = VERSION | BODY | announce(capture_id, content)
        return self._ask("POST", "/files", content, headers, self.identity) == 201

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        files: tuple[Path, Path] | None = None,
    ) -> int:
        """Return the status of an answer; 0 without one."""
        try:
            line = tls_line(port_of(self.backend), self.backend.ca_file, files, PROBE)
            with closing(HTTPConnection("127.0.0.1")) as asking, line:
                asking.sock = line
                asking.request(method, path, body, headers or {})
                return asking.getresponse().status
        except (OSError, HTTPException):
            return 0

    def bytes_in_nginx(self, strangers: int) -> int:
        """Return what nginx keeps of bodies that so many strangers send, 31 MB each."""
        paths = ("/pages/sign-in", "/files", "/api/orders/1", "/receipts")
        with ExitStack() as lines:
            for number in range(strangers):
                source = f"127.0.1.{1 + number % 50}"
                line = tls_line(port_of(self.backend), self.backend.ca_file, None, source)
                lines.enter_context(line).settimeout(1)
                head = f"POST {paths[number % 4]} HTTP/1.1\r\nHost: x\r\n"
                with suppress(OSError):
                    line.sendall(f"{head}Content-Length: 31000000\r\n\r\n".encode())
                    line.sendall(bytes(30_000_000))
            return _kept(self.backend.data.parent / "nginx")


def _kept(folder: Path) -> int:
    """Return the bytes of nginx's temporary files: it removes their names at once."""
    master = (folder / "nginx.pid").read_text().strip()
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    files = [one for pid in workers for one in Path(f"/proc/{pid}/fd").iterdir()]
    inside = f"{folder / 'body'}/"
    return sum(one.stat().st_size for one in files if str(one.readlink()).startswith(inside))


@contextmanager
def target(folder: Path, *, behind_nginx: bool) -> Iterator[Target]:
    """Run a backend over a folder."""
    with ExitStack() as running:
        backend = running.enter_context(instance(folder / "backend", behind_proxy=behind_nginx))
        if behind_nginx:
            ca = keys.certificates(backend.data / "ca")
            proxy = nginx.before([address(backend)], ca, folder / "nginx")
            backend.base_url = running.enter_context(proxy)
        maker = RecordMaker(device_id="van-probe")
        probe = enrolled_beside(backend.data, folder, maker.device_id, maker.key)
        device = enrolled_beside(backend.data, folder, "van-attacker")
        key = signing.new_key()
        forged = Authority(Authority.of(backend.data / "ca").certificate, key).tls(
            "van-forged", key.public_key(), datetime.now(UTC)
        )
        files = {
            Who.SELF_SIGNED: kept(folder, "van-forged", forged, key).files,
            Who.DEVICE: device.files,
        }
        yield Target(backend, behind_nginx, files, maker, probe.files)
