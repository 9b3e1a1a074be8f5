"""`python -m tests.bench.listeners`: the servers of many devices, in one process.

Each has an id, a certificate and a port of its own; the state behind them is one device's.
Prints its ports on one line, and serves until it is ended.
"""

import argparse
import resource
import selectors
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from agent.config import Config, load
from agent.queue.paths import Layout
from agent.record import certificates, signing
from agent.serve.answers import Answers
from agent.serve.server import StatusServer
from agent.serve.tls import Tls
from tests.support.authority import Authority


def device_id(number: int) -> str:
    """Of the listener of this number."""
    return f"listener-{number:04}"


def give_certificates(layout: Layout, authority: Authority, count: int) -> None:
    """One for each listener, beside serve's own and for the same key."""
    key = signing.read_private_key(layout.serve_keys / "key.pem").public_key()
    for number in range(count):
        made = authority.issue(key, device_id(number), server=True)
        _chain(layout, number).write_bytes(certificates.pem([made]))


def main() -> None:
    """Lets all of them listen, then answers whoever asks one."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.listeners", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    config = load(options.config)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # one for each, and for each client
    servers = [_server(config, number) for number in range(options.count)]
    sys.stdout.write(" ".join(str(server.server_address[1]) for server in servers) + "\n")
    sys.stdout.flush()
    with selectors.DefaultSelector() as asked:
        for server in servers:
            asked.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in asked.select():
                cast(StatusServer, key.fileobj).handle_request()


def _server(config: Config, number: int) -> StatusServer:
    layout, ca = Layout.of(config.state), config.identity.ca
    assert ca is not None
    mine = replace(config, device=replace(config.device, id=device_id(number)))
    tls = Tls(_chain(layout, number), layout.serve_keys / "key.pem", ca)
    answer = Answers(mine, _now).answer
    return StatusServer(("127.0.0.1", 0), tls, config.serve.clients, _now, answer)


def _chain(layout: Layout, number: int) -> Path:
    return layout.trust / f"serve-{number:04}.pem"


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    main()
