"""Common parts of both certificates that capture takes: for evidence, and for serve."""

from collections.abc import Callable

from agent.errors import DoorstepError, NotGenuine
from agent.process.verdict import TAKEN, Verdict
from agent.record import certificates
from agent.record.certificates import Chain


def verdict(take: Callable[[], None]) -> Verdict:
    """Return the result of `take`, which raises an error if the certificate does not count."""
    try:
        take()
    except NotGenuine as error:
        return Verdict(str(error))
    except DoorstepError as error:
        return Verdict(str(error), again=True)
    return TAKEN


def check_not_shorter(chain: Chain, kept: Chain) -> None:
    """Raise NotGenuine where the `kept` one, which counts, ends later: old ones are replayed."""
    if kept and certificates.ends(chain[0]) < (ends := certificates.ends(kept[0])):
        words = f"the one that is kept counts until {ends:%Y-%m-%d}"
        raise NotGenuine(f"it ends on {certificates.ends(chain[0]):%Y-%m-%d}, and {words}")
