"""Capture's part of certificates as files: those for evidence and for serve."""

from collections.abc import Collection
from functools import partial

from agent.config import Config
from agent.errors import ExitCode
from agent.identity import capture_part
from agent.identity.authorities import expected, kept
from agent.identity.capture_certificates import without_photos
from agent.identity.capture_part import DocumentKind
from agent.identity.given_files import Answers, Given, GivenFiles, Say
from agent.queue.paths import Layout
from agent.record import certificates
from agent.record.certificates import Request
from agent.record.usages import Use
from agent.trust.store import TrustStore


def take(
    config: Config, request: str, files: GivenFiles, others: Collection[int], say: Say
) -> Answers:
    """Let capture keep the certificates for evidence and serve; name each file that is of no use.

    Args:
        config: with certificates as files.
        request: the request for the evidence certificate, PEM.
        files: the given certificates.
        others: the numbers of the certificates for keys of another owner.
        say: gets the result of each step.
    """
    answers, trust = Answers(files, say), TrustStore(Layout.of(config.state))
    wanted: dict[DocumentKind, str | None] = {"evidence": request, "serve": trust.request("serve")}
    for kind, text in wanted.items():
        if text is not None:
            asked = certificates.read_request(text)
            answers.take(kind, asked.key, partial(_keep, config, files, kind, asked))
    known = {*others, *answers.numbers}
    wrong = [*files.unreadable.items(), *files.unrecognised(known, config.device.id)]
    if not (known or wrong):
        wrong = [("only authorities", "none of this device's certificates is in these files")]
    for file, words in wrong:
        answers.refuse("certificate", file, words, ExitCode.NOT_GENUINE)
    return answers


def _keep(
    config: Config, files: GivenFiles, kind: DocumentKind, asked: Request, given: Given
) -> str:
    chain = files.chain(given, expected(config), Use(kind), asked.names)
    until = f"until {certificates.ends(chain[0]):%Y-%m-%d}"
    why = without_photos(chain[0]) if kind == "evidence" else None
    without = f"; photos have no Content Credentials: {why}" if why else ""
    if chain == kept(TrustStore(Layout.of(config.state)), Use(kind)):
        return f"is kept, {until}{without}"
    capture_part.take(config, kind, certificates.pem(chain).decode())
    return f"verified, and kept, {until}{without}"
