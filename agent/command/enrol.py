"""`doorstep enrol`: this device's certificates and the first fleet document, step by step.

Each step looks at what is there first, so it may be run again at any time. As root, each owner's
part runs as that owner: network code never as root.
"""

import argparse
import getpass
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.command.owners import Report, run_as
from agent.command.shared import owner_of
from agent.config import Config, IdentityMode, load, path_of
from agent.errors import ConfigError, DoorstepError, ExitCode, is_missing
from agent.identity import capture_part, for_capture, serve_part, sync_part
from agent.identity.authorities import given
from agent.queue.disk import write_durably
from agent.queue.paths import Layout
from agent.record import certificates
from agent.trust.keys import pinned
from hardware.clock import BUILT

TIME_WAIT_S: Final = 60.0
"""Longest wait for network time: an NTP client asks within seconds of the network's coming up."""

TOKEN_LIMIT_CHARS: Final = 1_024
"""Longest token that is read: a longer one is another file."""

AsOwner = Callable[[Callable[[], Report]], Report]
"""Runs a part of the command as the owner of its keys."""

_READABLE: Final = 0o644
"""The authority's certificate is public."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep enrol URL [--renew] [--token FILE] [--ca-sha256 HEX]`."""
    config = load(path_of(arguments.config))
    _check(config, arguments.url)
    layout = Layout.of(config.state)  # each owner is looked up before anybody's part makes anything
    as_capture = partial(run_as, owner_of(layout.capture_keys, layout.state))
    as_sync = partial(run_as, owner_of(layout.sync_keys, layout.state))
    serves = bool(config.serve.names)
    as_serve = partial(run_as, owner_of(layout.serve_keys, layout.state) if serves else None)
    token = _token(arguments.token)
    await_time(say)
    request = str(as_capture(lambda: {"made": capture_part.request(config)}).get("made"))
    serve = _serve_request(config, as_serve, as_capture) if serves else None
    _authority(config, arguments.ca_sha256, as_sync)
    fetched = as_sync(
        lambda: _over_the_network(config, request, serve, token, renew=arguments.renew)
    )
    codes = [fetched.get("exit"), as_capture(lambda: _keep(config, fetched)).get("exit")]
    code = next((ExitCode(found) for found in codes if found), ExitCode.DONE)
    if fetched.get("token") and arguments.token is not None:
        say("token", f"delete {arguments.token}: the token is used")
    if code is ExitCode.DONE:
        print(f"enrolled: {config.device.id}")
    else:
        print(
            "not finished: see above, then run this again; it goes on where it was", file=sys.stderr
        )
    return code


def say(step: str, words: str) -> None:
    """Print a line per step; at once, also into a pipe."""
    print(f"{step:<16}  {words}", flush=True)


def await_time(
    say: sync_part.Say,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait for network time while the clock is before the build date, which is certainly past."""
    if now() >= BUILT:
        return
    words = f"says {now():%Y-%m-%d}, which is past; waiting up to {TIME_WAIT_S:.0f} s for the time"
    say("clock", words)
    for _ in range(int(TIME_WAIT_S)):
        sleep(1.0)
        if now() >= BUILT:
            say("clock", f"says {now():%Y-%m-%d} now")
            return
    say("clock", "still wrong; certificates may not verify by it: set it (`timedatectl set-time`)")


def _check(config: Config, url: str) -> None:
    """Check that this device can be enrolled, and at this address."""
    if config.identity.mode is IdentityMode.OFF:
        words = 'set it to "required", with identity.ca and identity.fleet_key, to enrol'
        raise ConfigError(f"identity.mode is off: there is nothing to enrol; {words}")
    if _place(url) != _place(config.est):
        setting = "identity.est" if config.identity.est else "backend.url"
        words = "give that address, or correct the configuration"
        raise ConfigError(f"{url} is not where {setting} leads, which is {config.est}; {words}")
    if config.identity.fleet_key is not None:
        pinned(config)


def _place(url: str) -> tuple[str, str | None, int | None, str]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or 443, parts.path.rstrip("/")
    except ValueError:  # the port
        return url, None, None, ""


def _token(file: Path | None) -> Callable[[], str | None]:
    """Return a function that gives the token; root's file is read before the user changes."""
    if file is not None:
        try:
            text = file.read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a text"
            raise ConfigError(f"{file}: the token cannot be read: {reason}") from error
        secret = _tidy(text, str(file))
        if not secret:
            raise ConfigError(f"{file}: there is no token in it")
        return lambda: secret
    return cache(_from_standard_input)


def _from_standard_input() -> str | None:
    try:
        if sys.stdin.isatty():
            return _tidy(getpass.getpass("one-time token: "), "the terminal")
        return _tidy(sys.stdin.readline(TOKEN_LIMIT_CHARS + 2), "standard input") or None
    except EOFError:  # Ctrl-D
        return None
    except OSError as error:
        words = "give the token by --token FILE"
        raise ConfigError(f"standard input cannot be read: {error.strerror}; {words}") from error


def _tidy(text: str, where: str) -> str:
    token = text.strip()
    if len(token) > TOKEN_LIMIT_CHARS or not re.fullmatch(r"[!-~]*", token):
        raise ConfigError(f"{where}: not a token: it is one word; of a line `ID TOKEN` the second")
    return token


def _serve_request(config: Config, as_serve: AsOwner, as_capture: AsOwner) -> str:
    """Make serve's request, and store it as capture: neither sees the other's folder."""
    made = str(as_serve(lambda: {"made": serve_part.request(config)}).get("made"))
    return str(as_capture(lambda: {"kept": capture_part.serve_request(config, made)}).get("kept"))


def _authority(config: Config, pin: str | None, as_sync: AsOwner) -> None:
    """See to `identity.ca`: whom everything after this is verified by."""
    path = config.identity.ca
    assert path is not None  # the configuration is checked
    if pin is None or not is_missing(path):
        trusted = given(config)  # says what is wrong with the file
        if pin is not None:
            sync_part.pinned(trusted, pin)
        say("authority", f"{path}")
        return
    told = as_sync(lambda: {"ca": sync_part.authority(config, pin)})
    found = sync_part.genuine(certificates.read_pem(str(told.get("ca")).encode()), pin)
    write_durably(path, certificates.pem([found]), _READABLE, whole=True)
    say("authority", f"is the pinned one; written to {path}")


def _over_the_network(
    config: Config, request: str, serve: str | None, token: Callable[[], str | None], *, renew: bool
) -> Report:
    """Run sync's part, in sync's process."""
    asked: list[str | None] = []

    def once() -> str | None:
        asked.append(token())
        return asked[-1]

    sync_part.identity(config, once, say, renew=renew)
    fetched = for_capture.documents(config, request, serve, say, renew=renew)
    code = fetched.trouble and int(fetched.trouble.exit_code)
    told = {"evidence": fetched.evidence, "fleet": fetched.fleet, "serve": fetched.serve}
    return {**told, "exit": code, "token": bool(asked)}


def _keep(config: Config, fetched: Report) -> Report:
    """Verify the fetched documents again and keep them, in capture's process."""
    codes = []
    kinds: tuple[tuple[capture_part.DocumentKind, str], ...] = (
        ("evidence", "evidence"),
        ("fleet", "fleet document"),
        ("serve", "serve"),
    )
    for kind, step in kinds:
        text = fetched.get(kind)
        if not isinstance(text, str):
            continue
        try:
            capture_part.take(config, kind, text)
            say(step, "verified, and kept")
        except DoorstepError as error:
            say(step, str(error))
            codes.append(int(error.exit_code))
    return {"exit": codes[0] if codes else None}
