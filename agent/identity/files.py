"""Certificates as files: sync's request for TLS, and which certificate is for which key.

`doorstep enrol --csr` and `--certificate` run each part as the owner of its keys.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from agent.config import Config
from agent.errors import DoorstepError, ExitCode, NotGenuine
from agent.identity import capture_part
from agent.identity.authorities import check_dates, expected, kept
from agent.identity.capture_certificates import without_photos
from agent.identity.issuing import Say
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.queue import disk
from agent.queue.paths import Layout
from agent.record import certificates, usages
from agent.record.certificates import (
    Certificate,
    CertificateChain,
    Expected,
    NotTrusted,
    Request,
)
from agent.record.signing import PrivateKey, PublicKey
from agent.record.usages import Use
from agent.trust.store import TrustStore


@dataclass(frozen=True, slots=True)
class Given:
    """A certificate in a file.

    Attributes:
        number: its place among all of them, by which the owners' processes name it.
        file: the name of the file.
    """

    number: int
    file: str
    certificate: Certificate


class GivenFiles:
    """The certificates in all files: an authority's may be in another file than a device's.

    Args:
        texts: the content of each file, PEM, by the file's name.

    Attributes:
        unreadable: why a file has no certificate, by its name.
    """

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.unreadable: dict[str, str] = {}
        self._all: list[Given] = []
        for name, text in texts.items():
            try:
                found = certificates.read_pem(text)
                for one in found:
                    certificates.has_p256_key(one)  # raises for a key that no library reads
            except NotGenuine as error:
                words = "give certificates in PEM (`openssl x509 -inform DER -in FILE` makes it)"
                self.unreadable[name] = f"{error}; {words}"
            else:
                first = len(self._all)
                self._all += [Given(first + place, name, one) for place, one in enumerate(found)]

    def answers(self, key: PublicKey) -> list[Given]:
        """Return the certificates for this key."""
        return [one for one in self._all if certificates.is_for(one.certificate, key)]

    def chain(
        self, given: Given, known: Expected, use: Use, names: Collection[str] = ()
    ) -> CertificateChain:
        """Return the chain from this certificate to a trusted authority.

        Raises:
            NotGenuine: another name, by another authority, outside its dates, or for another use.
        """
        certificates.check_named(given.certificate, known.device_id)
        pool = [one.certificate for one in self._all]
        try:
            chain = certificates.path(given.certificate, pool, known.trusted)
        except NotTrusted as error:
            words = "if an intermediate authority made it, give that authority's certificate too"
            raise NotGenuine(f"{error}; {words}") from error
        check_dates(chain[0])
        try:
            usages.check(use, chain[0], names)
        except NotGenuine as error:
            words = "the request asks for the right usage: let the authority copy it"
            raise NotGenuine(f"{error}; {words}") from error
        return chain

    def unrecognised(self, known: Collection[int], device_id: str) -> Iterator[tuple[str, str]]:
        """Yield the file of each certificate that is for no key of this device, and why.

        Args:
            known: the numbers of those that are for a key of this device.
            device_id: of this device.
        """
        for one in self._all:
            if one.number not in known and not certificates.is_authority(one.certificate):
                yield one.file, _stranger(one.certificate, device_id)


def _stranger(certificate: Certificate, device_id: str) -> str:
    try:
        certificates.check_named(certificate, device_id)
        if not certificates.has_p256_key(certificate):
            return "its key is not a P-256 key, so no request of this device was for it"
    except NotGenuine as error:
        return str(error)
    words = "`doorstep enrol --csr DIR` writes the requests that wait for an answer"
    return f"it is for another key than those of this device; {words}"


class Answers:
    """The certificates for the keys of one owner, and the results.

    Attributes:
        numbers: of the certificates that are for a key of this owner, right or wrong.
        exit_code: of the first wrong one; None if all are right.
    """

    def __init__(self, files: GivenFiles, say: Say) -> None:
        self._files = files
        self._say = say
        self.numbers: list[int] = []
        self.exit_code: int | None = None

    def take(self, step: str, key: PublicKey, accept: Callable[[Given], str]) -> None:
        """Have each certificate for this key accepted; a wrong one does not stop the others."""
        for one in self._files.answers(key):
            self.numbers.append(one.number)
            try:
                self._say(step, f"{one.file}: {accept(one)}")
            except DoorstepError as error:
                self.refuse(step, one.file, str(error), int(error.exit_code))

    def refuse(self, step: str, file: str, words: str, exit_code: int) -> None:
        """Print what is wrong with a file."""
        self._say(step, f"{file}: {words}")
        self.exit_code = self.exit_code or exit_code


def tls_request(config: Config) -> str:
    """Return the request, PEM, for the next TLS key; make a missing key.

    Raises:
        ConfigError: `identity.ca` cannot be read.
        StorageFault: the disk failed.
    """
    layout, known = Layout.of(config.state), expected(config)
    store = IdentityStore(layout)
    with disk.lock(layout.sync_keys, exclusive=True, wait=True):
        return store.next_request(config, _current(store, known))


def take_as_sync(config: Config, files: GivenFiles, say: Say) -> Answers:
    """Use a certificate for the next key, or a longer one for the key in use."""
    layout, known = Layout.of(config.state), expected(config)
    store, answers = IdentityStore(layout), Answers(files, say)
    with disk.lock(layout.sync_keys, exclusive=True, wait=True):
        current = _current(store, known)
        in_use = current.key if current else None
        for key in (in_use, store.asked_key(current)):  # last the next one, which stays in use
            if key is not None:
                accept = partial(_install, store, files, known, key)
                answers.take("TLS certificate", key.public_key(), accept)
    return answers


def _current(store: IdentityStore, known: Expected) -> TlsIdentity | None:
    try:
        return store.read(known)
    except NotGenuine:
        return None


def _install(
    store: IdentityStore, files: GivenFiles, known: Expected, key: PrivateKey, given: Given
) -> str:
    chain, current = files.chain(given, known, Use.TLS), _current(store, known)
    if current is not None and certificates.is_for(current.chain[0], key.public_key()):
        if chain[0] == current.chain[0]:
            return f"is in use, until {current.ends:%Y-%m-%d}"
        if certificates.ends(chain[0]) <= current.ends:
            raise NotGenuine(
                f"it ends before the one in use, which ends on {current.ends:%Y-%m-%d}"
            )
    store.install(TlsIdentity(key, chain))
    return f"is in use now, until {certificates.ends(chain[0]):%Y-%m-%d}"


def take_as_capture(
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
    for use, text in ((Use.EVIDENCE, request), (Use.SERVE, trust.request(Use.SERVE))):
        if text is not None:
            asked = certificates.read_request(text)
            answers.take(use, asked.key, partial(_keep, config, files, use, asked))
    known = {*others, *answers.numbers}
    wrong = [*files.unreadable.items(), *files.unrecognised(known, config.device.id)]
    if not (known or wrong):
        wrong = [("only authorities", "none of this device's certificates is in these files")]
    for file, words in wrong:
        answers.refuse("certificate", file, words, ExitCode.NOT_GENUINE)
    return answers


def _keep(config: Config, files: GivenFiles, use: Use, asked: Request, given: Given) -> str:
    chain = files.chain(given, expected(config), use, asked.names)
    until = f"until {certificates.ends(chain[0]):%Y-%m-%d}"
    why = without_photos(chain[0]) if use is Use.EVIDENCE else None
    without = f"; photos have no Content Credentials: {why}" if why else ""
    if chain == kept(TrustStore(Layout.of(config.state)), use):
        return f"is kept, {until}{without}"
    capture_part.take(config, use, certificates.pem(chain).decode())
    return f"verified, and kept, {until}{without}"
