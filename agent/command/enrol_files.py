"""`doorstep enrol --csr` and `--certificate`: certificates that a person carries as files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.command.enrol_steps import Owners, end, report, say
from agent.command.owners import Report
from agent.command.shared import named, read_input
from agent.config import Config
from agent.errors import ConfigError, ExitCode, NotNow, StorageFault
from agent.identity import files, for_capture
from agent.identity.authorities import kept
from agent.identity.files import Answers, GivenFiles
from agent.identity.requested import wanted
from agent.identity.tls_identity import IdentityStore
from agent.queue.disk import write_durably
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.usages import Use
from agent.trust.store import TrustStore

FILE_LIMIT_BYTES: Final = 262_144
"""Longest file of certificates that is read: sixteen, with all that `openssl ca` prints of them."""

_READABLE: Final = 0o644
"""Requests are public."""


def write_requests(config: Config, folder: Path) -> int:
    """Write each owner's request into `folder`, PEM: the same ones until they are answered."""
    owners = Owners.of(config)
    evidence = owners.evidence_request(config)
    tls = str(owners.sync(lambda: {"made": files.tls_request(config)}).get("made"))
    requests = {Use.TLS: tls, Use.EVIDENCE: evidence, Use.SERVE: owners.serve_request(config)}
    checked = {use: _checked(config, use, text) for use, text in requests.items() if text}
    for use, text in checked.items():
        path = folder / f"{config.device.id}-{use}.csr"
        _write(path, text)
        say(use, str(path))
    print("have certificates made of these, then `doorstep enrol --certificate FILE...`")
    return ExitCode.DONE


def _checked(config: Config, use: Use, text: str) -> str:
    """Return an owner's request, PEM and nothing else, if it asks for what it should.

    Otherwise a process that was taken over could ask for a certificate for evidence.
    """
    asked = certificates.read_request(text)
    if not wanted(config, use).is_asked_by(text, asked.key):
        words = "`systemctl restart doorstep-capture` reads a changed one; then run this again"
        raise NotNow(f"the {use} request is not as this configuration needs it; {words}")
    return certificates.request_pem(asked)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, text.encode(), _READABLE, whole=True)
    except (OSError, StorageFault) as error:
        words = "--csr names a folder for requests, which must be writable"
        raise ConfigError(f"{path}: cannot be written: {error}; {words}") from error


def take(config: Config, paths: Sequence[Path]) -> int:
    """Give each owner the certificates for its keys; then fetch the fleet document."""
    # By root, before the user changes.
    texts = {named(path): read_input(path, FILE_LIMIT_BYTES) for path in paths}
    owners = Owners.of(config)
    request = owners.evidence_request(config)
    by_sync = owners.sync(lambda: _as_sync(config, texts))
    others = by_sync["numbers"]
    by_capture = owners.capture(lambda: _as_capture(config, request, texts, others))
    codes = [by_sync["exit"], by_capture["exit"]]
    if by_sync["is_enrolled"]:
        fetched = owners.sync(lambda: report(for_capture.fetched(config, {}, say)))
        codes += [fetched.get("exit"), owners.keep(config, fetched)]
    else:
        say("TLS certificate", "none yet, so the device cannot reach the backend")
        codes.append(ExitCode.LATER)
    return end(config, next((ExitCode(code) for code in codes if code), ExitCode.DONE))


def _as_sync(config: Config, texts: dict[str, bytes]) -> Report:
    answers = files.take_as_sync(config, GivenFiles(texts), say)
    is_enrolled = IdentityStore(Layout.of(config.state)).is_there()
    return {**_report(answers), "is_enrolled": is_enrolled}


def _as_capture(
    config: Config, request: str, texts: dict[str, bytes], others: Sequence[int]
) -> Report:
    answers = files.take_as_capture(config, request, GivenFiles(texts), others, say)
    if not kept(TrustStore(Layout.of(config.state)), Use.EVIDENCE):
        say("evidence", "none yet: nobody can tell this device's records from a stranger's")
    return _report(answers)


def _report(answers: Answers) -> Report:
    return {"numbers": answers.numbers, "exit": answers.exit_code}
