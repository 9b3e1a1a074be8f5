"""Receive what devices send, or run one command of the office."""

import argparse
import logging
import os
import shlex
import signal
import socket
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from agent.command.commandline import parsed
from agent.models import printable
from agent.process import streams
from agent.process.parser import Parser
from doorstep_backend import keys, supporting, unusable
from doorstep_backend.api import commands as tokens
from doorstep_backend.api.service import Api
from doorstep_backend.app import Wiring, create_app, health_checks
from doorstep_backend.engines import chosen
from doorstep_backend.engines.objects import Missing
from doorstep_backend.engines.opening import URL, rows_are_there
from doorstep_backend.engines.sql import UnfitError
from doorstep_backend.identity import commands as devices
from doorstep_backend.identity.commands import IdentityCommands
from doorstep_backend.identity.est import Identity
from doorstep_backend.identity.fleet import FleetDocuments, KeyFiles
from doorstep_backend.identity.register import Register
from doorstep_backend.identity.shown import ProxyCertificate, Shown, serial_by_tls
from doorstep_backend.office import commands, demo
from doorstep_backend.office.erasure import NotDone
from doorstep_backend.office.model import Office, open_office
from doorstep_backend.office.orders import NoSuchOrder
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.site import Site
from doorstep_backend.reports import pull, status
from doorstep_backend.reports.store import Reports
from doorstep_backend.serving import (
    BEHIND_PROXY_IDLE_S,
    HOST,
    IDLE_S,
    FinishingServer,
    listen,
    server_config,
)
from doorstep_backend.settings import FILE, WrongSettingError, read_settings
from doorstep_backend.wire import loglines, orphans
from doorstep_backend.wire.places import ConnectionLimits
from doorstep_backend.wire.store import Store

log = logging.getLogger(__name__)

RECEIPT_KEY: Final = "receipt-key.pem"
"""The public half of what signs receipts."""

NO_BACKEND: Final = "{} has no backend in it: is --data right?"

NO_DATA: Final = "--data DIR: name the folder in which the backend keeps its keys and records"

NO_FOLDER: Final = "--data: {} is a file; name a folder"

NO_PROXY: Final = f"{FILE}: proxy names nobody: with --behind-proxy no device would get in"

LAST_PORT: Final = 65_535
"""Source: RFC 9293, section 3.1."""

REFUSED: Final = (WrongSettingError, UnfitError, NotDone, Missing, NoSuchOrder)
"""Errors of requests that cannot be met; the message gives the reason."""

NO_ADDRESS: Final = "--behind-proxy: {} is no address; give one of this machine, as 10.0.0.5"

TAKEN: Final = "--port: nobody can be heard at {}:{} ({}): is another instance there?"


def main(wiring: Wiring | None = None) -> int:
    """Serve, or run one command; return 1 if that fails, and 2 for a wrong command line."""
    out = streams.outlast()
    code = 0
    try:
        _begin(_options(), wiring or Wiring())
    except SystemExit as ended:  # of argparse, which has said why
        code = int(ended.code or 0)
    except (*REFUSED, OSError) as error:
        what = unusable.os_error_text(error) if isinstance(error, OSError) else str(error)
        print("\n".join(map(printable, what.splitlines())), file=sys.stderr)
        code = 1
    return code if streams.is_all_written(out, "doorstep-backend") else code or 1


def _options() -> argparse.Namespace:
    whole = parser()
    options = parsed(whole, sys.argv[1:])
    if options.data is None and options.command != supporting.COMMAND:
        whole.error(NO_DATA)
    return options


def _begin(options: argparse.Namespace, wiring: Wiring) -> None:
    loglines.begin()
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    loglines.limit()
    os.umask(0o077)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # the backend says it once
    if options.command == supporting.COMMAND:
        print("\n".join(map(str, supporting.write(options.folder))), flush=True)
        return
    os.environ[URL] = options.database
    _run(options, options.data.resolve(), wiring)


def _run(options: argparse.Namespace, data: Path, wiring: Wiring) -> None:
    if data.exists() and not data.is_dir():
        raise WrongSettingError(NO_FOLDER.format(data))
    if options.command is not None:
        _command(options, data)
        return
    if options.behind_proxy and not read_settings(data).proxy:
        raise WrongSettingError(NO_PROXY)
    chosen.check_rows(data)
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)  # what was made before, by whatever umask, is its owner's too
    _serve(options, data, wiring)


def _command(options: argparse.Namespace, data: Path) -> None:
    chosen.check_rows(data)
    has_keys, own_rows = ((data / name).exists() for name in ("keys", "backend.db"))
    if has_keys and not rows_are_there(data):
        raise WrongSettingError(chosen.NO_ROWS.format(data))
    if not (has_keys or own_rows):  # else it would make a second CA over the same rows, and sign
        raise WrongSettingError(NO_BACKEND.format(data))
    office = open_office(Store(data, chosen.objects_of(data, options.objects)))
    for line in _output(options, data, office):
        print(line, flush=True)


def _output(options: argparse.Namespace, data: Path, office: Office) -> Iterable[str]:
    match options.command:
        case "pull":
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # waits for no device that is slow
            return pull.run(options, data)
        case status.COMMAND:
            signs = keys.KeyInUse(KeyFiles(data).signs)
            return status.run(options, health_checks(office.store, office, signs), data)
        case "devices" | "clients" | "technicians" | "fleet" | "certificate":
            return [IdentityCommands.of(data, office).run(options)]
        case tokens.COMMAND:
            return [tokens.run(options, office.ledger, office.ledger.now())]
        case "objects":
            return orphans.run(options, office)
        case _:
            return [commands.run(options, office, office.ledger.now())]


def _serve(options: argparse.Namespace, data: Path, wiring: Wiring) -> None:
    with keys.alone(data):
        certificates = keys.certificates(data / "ca", options.name)
        store = wiring.store(data, chosen.objects_of(data, options.objects))
        store.db.now()  # an instance whose clock is wrong does not even start
        for said in store.objects.begin():
            log.warning("objects=not_checked why=%s", said)
        chosen.remember(data, options.objects, store.db, store.objects)
        documents = FleetDocuments(data)
        documents.settle()
        office = open_office(store, show_simulated=options.show_simulated)
    office.store.filing_backlog.free()
    office.open_anew()
    devices.write_revoked(data, office, documents)
    identity = None if options.without_identity else Identity.of(data, certificates)
    reports = None if identity is None else Reports(data)
    register = None if identity is None else identity.register
    site = Site(office, register=register, reports=reports)
    if options.demo_accounts:
        site.accounts.keep_all(demo.ACCOUNTS)
    behind, proxies = options.behind_proxy, office.settings.proxy
    # Intake asks while it locks the rows, so it needs a connection that nothing else waits for
    vouching = None if identity is None else Register(data)
    app = create_app(
        store,
        wiring.intake(store, documents.key_in_use, office, vouching),
        documents.key_in_use,
        around=wiring.middleware(store),
        office=office,
        site=site,
        api=Api(office, register),
        documents=documents,
        identity=identity,
        shown=_shown(identity, proxies) if behind else serial_by_tls,
        reports=reports,
    )

    listener = _listener(behind or HOST, options.port, proxies)
    host, port = listener.getsockname()
    _announce(options, f"{'http' if behind else 'https'}://{host}:{port}", data, certificates)
    asks = identity is not None
    context = None if behind else certificates.server_context(asks_for_clients=asks)
    idle_s = BEHIND_PROXY_IDLE_S if behind else IDLE_S
    config = server_config(app, context, idle_s, proxies, wiring.protocol)
    FinishingServer(config).run(sockets=[listener])


def _listener(host: str, port: int, proxies: Collection[str]) -> socket.socket:
    try:
        return listen(port, host, ConnectionLimits(proxies=proxies))
    except (socket.gaierror, UnicodeError) as error:
        raise WrongSettingError(NO_ADDRESS.format(host)) from error
    except OSError as error:
        raise WrongSettingError(TAKEN.format(host, port, error.strerror)) from error


def _shown(identity: Identity | None, proxies: Collection[str]) -> Shown:
    return (
        serial_by_tls
        if identity is None
        else ProxyCertificate(identity.authority.certificate, proxies)
    )


def _announce(
    options: argparse.Namespace, url: str, data: Path, certificates: keys.Certificates
) -> None:
    files = {
        "ca": certificates.ca_file,
        "receipt_key": data / RECEIPT_KEY,
        "fleet_key": KeyFiles(data).fleet_public,
    }
    told = " ".join(f"{name}={shlex.quote(str(path))}" for name, path in files.items())
    print(f"ready url={url} {told}", flush=True)
    if options.demo_accounts:
        print(_welcome(url), flush=True)


def _welcome(url: str) -> str:
    accounts = [f"  {one.role:<8}  {one.who:<8}  {one.password}" for one in demo.ACCOUNTS]
    return "\n".join([f"pages: {url}{PREFIX}/", "role, account, password:", *accounts])


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 5 or int(text) > LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a port number (0 to {LAST_PORT})")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    whole = Parser(
        prog="doorstep-backend",
        description=__doc__,
        epilog="Example: doorstep-backend --data data --port 8443. `doorstep-backend COMMAND "
        "--help` explains a command. Exit codes: 0 done, 1 failed, 2 wrong command line.",
    )
    whole.add_argument(
        "--port",
        type=_port,
        default=0,
        metavar="PORT",
        help=f"listen on this port, 1 to {LAST_PORT} (default: 0, which chooses a free port)",
    )
    whole.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder for everything that the backend keeps; only "
        f"{supporting.COMMAND} needs no folder",
    )
    whole.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get(URL, ""),
        help="keep rows in this database, postgresql://... (default: the environment variable "
        "DOORSTEP_DATABASE, which no other user can read; without it, SQLite in DIR)",
    )
    whole.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="put this name or address into the backend's certificate, if devices use another than "
        "loopback; counts at the first start; may be repeated (default: none)",
    )
    whole.add_argument("--show-simulated", action="store_true", help="count simulated records too")
    whole.add_argument(
        "--demo-accounts",
        action="store_true",
        help="let the people of the demo sign in, and print their passwords",
    )
    whole.add_argument(
        "--without-identity", action="store_true", help="ask no device for a certificate"
    )
    whole.add_argument(
        "--objects",
        metavar="s3://BUCKET?endpoint=URL&region=NAME",
        help="keep records in this bucket; give it at the first start, because DIR remembers it "
        "(default: in DIR)",
    )
    whole.add_argument(
        "--behind-proxy",
        nargs="?",
        const=HOST,
        metavar="ADDRESS",
        help="speak HTTP without TLS at ADDRESS (default: loopback), and believe what the proxies "
        "in DIR/backend.toml say about clients' certificates",
    )
    verbs = commands.add_to(whole)
    devices.add_to(verbs)
    tokens.add_to(verbs)
    status.add_to(verbs)
    pull.add_to(verbs)
    orphans.add_to(verbs)
    supporting.add_to(verbs)
    return whole


if __name__ == "__main__":
    sys.exit(main())
