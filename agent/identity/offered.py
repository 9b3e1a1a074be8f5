"""Common parts of both certificates that capture takes: for evidence, and for serve."""

from collections.abc import Callable

from agent.errors import DoorstepError, NotGenuine
from agent.process.offer_result import ACCEPTED, OfferResult
from agent.record import certificates
from agent.record.certificates import CertificateChain


def result(take: Callable[[], None]) -> OfferResult:
    """Return the result of `take`, which raises an error if the certificate does not count."""
    try:
        take()
    except NotGenuine as error:
        return OfferResult(str(error))
    except DoorstepError as error:
        return OfferResult(str(error), retry=True)
    return ACCEPTED


def check_not_shorter(chain: CertificateChain, kept: CertificateChain) -> None:
    """Raise NotGenuine where the `kept` one, which counts, ends later: old ones are replayed."""
    if kept and certificates.ends(chain[0]) < (ends := certificates.ends(kept[0])):
        words = f"the one that is kept counts until {ends:%Y-%m-%d}"
        raise NotGenuine(f"it ends on {certificates.ends(chain[0]):%Y-%m-%d}, and {words}")
