"""A day of one device, all its processes: what they take together, in MB of 1,000,000 bytes."""

import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from tests.bench.device import new_device, together_mb
from tests.bench.frame import Figure, Rig
from tests.bench.route import STOPS
from tests.support.device import Device
from tests.support.waiting import until

TOGETHER_MB: Final = 260.0
"""A Zero 2 W has 426 MB: 96 are for the camera's buffers, and 70 for the system."""

CLIENT: Final = "dispatch"

SERVED_AS: Final = "van.example"

PROCESSES: Final = ("capture", "sync", "serve")

LOOK_S: Final = 0.1
"""Between two looks at the memory: a press takes longer."""

SENT_WITHIN_S: Final = 600.0
"""Until sync has sent all of them: it pauses after an error."""

PACE_S: Final = 0.7
"""From an answer to the next press. Source: presses within 0.6 s count once."""


def memory_of_all(rig: Rig) -> Figure:
    """Press at each stop, while sync sends; every ten presses dispatch asks."""
    presses, backend = rig.times(STOPS, 20), rig.backend
    serve = {"listen": "127.0.0.1:0", "names": [SERVED_AS], "clients": [CLIENT]}
    device = new_device(rig.folder / "day", backend, names=[SERVED_AS], serve=serve)
    client = rig.folder / "dispatch.pem"
    backend.command("clients", "add", CLIENT, "--out", str(client))
    found = list[float]()
    try:
        for name in PROCESSES:
            device.start(name, ready=name != "serve")
        listens = until(lambda: re.search(r"event=serving listen=\S+:(\d+)", device.log("serve")))
        assert listens is not None
        with _looking(device, found):
            for turn in range(presses):
                capture_id = _press_photo(device)
                if turn % 10 == 9:
                    _ask(backend.ca_file, client, int(listens[1]))
        last = rig.backend.data / "records" / f"{capture_id}.json"
        until(last.exists, SENT_WITHIN_S)
        if not json.loads(last.read_text())["record"]["photo"]["credentials"]:
            raise RuntimeError(f"photos have no credentials: {last.read_text()}")
    finally:
        device.stop_all()
    note = f"capture, sync and serve; {presses} presses at 2304x1296, with credentials"
    return Figure("all processes, at most", "MB", [max(found)], TOGETHER_MB, note=note)


def _press_photo(device: Device) -> str:
    """Press, and return the id of the record. Raises RuntimeError without a photo."""
    reply = device.press()
    if reply.get("label", {}).get("kind") != "photo":
        raise RuntimeError(f"the press made no photo: {reply}")
    time.sleep(PACE_S)
    capture_id: str = reply["label"]["capture_id"]
    return capture_id


def _ask(ca_file: Path, client: Path, port: int) -> None:
    """Ask for the status and the metrics as dispatch does."""
    trust = ssl.create_default_context(cafile=ca_file)
    trust.load_cert_chain(client)
    for target in ("/v1/status", "/metrics"):
        with (
            socket.create_connection(("127.0.0.1", port), 10.0) as plain,
            trust.wrap_socket(plain, server_hostname=SERVED_AS) as line,
            closing(http.client.HTTPConnection(SERVED_AS)) as connection,
        ):
            connection.sock = line
            connection.request("GET", target)
            answer = connection.getresponse()
            if not answer.read() or answer.status != 200:
                raise RuntimeError(f"{target}: {answer.status}")


@contextmanager
def _looking(device: Device, found: list[float]) -> Iterator[None]:
    """Look at the memory of all processes again and again, also during a press."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            found.append(together_mb(device.pids()))

    with ThreadPoolExecutor(1) as looking:
        looked = looking.submit(look)
        try:
            yield
        finally:
            over.set()
        looked.result()
