"""Certificates in files: which of them is for which key of this device."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from agent.errors import DoorstepError, NotGenuine
from agent.identity.authorities import check_dates
from agent.record import certificates, usages
from agent.record.certificates import Certificate, CertificateChain, Expected, NotTrusted
from agent.record.signing import PublicKey
from agent.record.usages import Use

Say = Callable[[str, str], None]
"""Function that prints the result of a step: the step's name, and a text."""


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
