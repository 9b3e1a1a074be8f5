"""`doorstep serve`: how its process is put together."""

import argparse
import ctypes
import logging
from datetime import UTC, datetime
from typing import Final

from agent.command.shared import become, owner_of, signals
from agent.command.state_access import floor
from agent.config import Config, IdentityMode, load, path_of
from agent.errors import ConfigError, ExitCode
from agent.process import sd_notify
from agent.queue.paths import Layout
from agent.serve.answers import Answers
from agent.serve.server import StatusServer
from agent.serve.tls import ServerTls

_log = logging.getLogger(__name__)

_ARENAS: Final = -8
"""M_ARENA_MAX. Source: glibc, malloc/malloc.h; mallopt(3)."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep serve`."""
    path = path_of(arguments.config)
    config = load(path)
    if missing := _missing(config):
        raise ConfigError("\n".join(f"{path}: {one}" for one in missing))
    ctypes.CDLL(None).mallopt(_ARENAS, 1)  # one for each thread keeps 2 MB after sixteen clients
    layout = Layout.of(config.state)
    become(owner_of(layout.serve_keys, layout.state))
    with _server(config, layout) as server, signals(server.stop):
        _log.info("event=serving listen=%s", server.listens)
        sd_notify.ready()
        server.run(sd_notify.alive)
    return ExitCode.DONE


def _missing(config: Config) -> list[str]:
    """Return the settings that serving needs and that are missing."""
    found = []
    if config.identity.mode is IdentityMode.OFF:
        found.append(
            "identity.mode: off; serve knows its clients by the fleet's authority, which is missing"
        )
    if not config.serve.names:
        found.append("serve.names: empty; its certificate is for the names that it is reached by")
    if not config.serve.clients:
        found.append("serve.clients: empty; name the clients that may ask")
    return found


def _server(config: Config, layout: Layout) -> StatusServer:
    assert config.identity.ca is not None, "identity.mode required has one"
    tls = ServerTls(layout.trust / "serve.pem", layout.serve_keys / "key.pem", config.identity.ca)
    tls.context()  # says at once what is missing

    def now() -> datetime:
        """Return the time; a clock that was set back revives no certificate that has ended."""
        return max(datetime.now(UTC), floor(layout))

    answers = Answers(config, now)
    return StatusServer(config.serve.address, tls, config.serve.clients, now, answers.answer)
