"""`doorstep enrol`: this device's certificates and the first fleet document, step by step.

Each step looks at what is there first, so it may be run again at any time. As root, each owner's
part runs as that owner: network code never as root.
"""

import argparse
import getpass
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.command import enrol_files
from agent.command.enrol_steps import AsOwner, Owners, end, report, say
from agent.command.owners import Report
from agent.config import Config, IdentityMode, load, path_of
from agent.errors import ConfigError, ExitCode, is_missing
from agent.identity import for_capture, sync_part
from agent.identity.authorities import BY_HAND, given
from agent.identity.issuing import Say
from agent.queue.disk import write_durably
from agent.record import certificates
from agent.record.usages import Use
from agent.trust.keys import pinned
from hardware.clock import BUILT
from hardware.foreign import SMALL_BYTES, read_file

TIME_WAIT_S: Final = 60.0
"""Longest wait for network time: an NTP client asks within seconds of the network's coming up."""

TOKEN_LIMIT_CHARS: Final = 1_024
"""Longest token that is read: a longer one is another file."""

_READABLE: Final = 0o644
"""The authority's certificate is public."""


def run(arguments: argparse.Namespace) -> int:
    """Run `doorstep enrol URL`, or `--csr DIR` or `--certificate FILE...` without a server."""
    config = load(path_of(arguments.config))
    _check(config, arguments)
    if arguments.csr is not None:
        return enrol_files.write_requests(config, arguments.csr)
    if arguments.certificate is not None:
        await_time(say)
        return enrol_files.take(config, arguments.certificate)
    return _by_est(config, arguments)


def _by_est(config: Config, arguments: argparse.Namespace) -> int:
    owners = Owners.of(config)
    token = _token(arguments.token)
    await_time(say)
    made = {Use.EVIDENCE: owners.evidence_request(config), Use.SERVE: owners.serve_request(config)}
    requests = {use: request for use, request in made.items() if request is not None}
    _authority(config, arguments.ca_sha256, owners.sync)
    fetched = owners.sync(lambda: _over_the_network(config, requests, token, renew=arguments.renew))
    codes = [fetched.get("exit"), owners.keep(config, fetched)]
    code = next((ExitCode(found) for found in codes if found), ExitCode.DONE)
    if fetched.get("token") and arguments.token is not None:
        say("token", f"delete {arguments.token}: the token is used")
    return end(config, code)


def await_time(
    say: Say,
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


def _check(config: Config, arguments: argparse.Namespace) -> None:
    """Check that this device can be enrolled, and in this way."""
    if config.identity.mode is IdentityMode.OFF:
        words = 'set it to "required", with identity.ca and identity.fleet_key, to enrol'
        raise ConfigError(f"identity.mode is off: there is nothing to enrol; {words}")
    by_files = [one for one in (arguments.csr, arguments.certificate) if one is not None]
    if config.uses_certificate_files:
        _check_files(arguments, by_files)
    elif by_files:
        words = f'`doorstep enrol {config.est}` asks the server; set it to "files" for this'
        raise ConfigError(f'identity.certificates is "est": {words}')
    else:
        _check_est(config, arguments.url)
    if config.identity.fleet_key is not None:
        pinned(config)


def _check_files(arguments: argparse.Namespace, by_files: Sequence[object]) -> None:
    for_est = (arguments.url, arguments.token, arguments.ca_sha256, arguments.renew or None)
    if any(one is not None for one in for_est):
        what = "URL, --token, --ca-sha256 and --renew are for an EST server"
        raise ConfigError(f'identity.certificates is "files": {what}; {BY_HAND}')
    if len(by_files) != 1:
        raise ConfigError(f'identity.certificates is "files": {BY_HAND}; give one of both')


def _check_est(config: Config, url: str | None) -> None:
    if url is None:
        raise ConfigError(f"URL: missing; `doorstep enrol {config.est}`")
    if _place(url) != _place(config.est):
        setting = "identity.est" if config.identity.est else "backend.url"
        words = "give that address, or correct the configuration"
        raise ConfigError(f"{url} is not where {setting} leads, which is {config.est}; {words}")


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
            text = read_file(file, SMALL_BYTES).decode("ascii")
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
    config: Config, requests: Mapping[Use, str], token: Callable[[], str | None], *, renew: bool
) -> Report:
    """Run sync's part, in sync's process."""
    asked: list[str | None] = []

    def once() -> str | None:
        asked.append(token())
        return asked[-1]

    sync_part.identity(config, once, say, renew=renew)
    fetched = for_capture.fetched(config, requests, say, renew=renew)
    return {**report(fetched), "token": bool(asked)}
