"""Gets certificates issued, and checks them: what `doorstep enrol` and a renewal share."""

from collections.abc import Callable, Sequence

from agent.errors import NotGenuine
from agent.identity.authorities import check_dates
from agent.identity.est import EstClient, Operation, Pending
from agent.identity.tls_identity import IdentityStore, TlsIdentity
from agent.record import certificates, usages
from agent.record.certificates import Certificate, CertificateChain, Expected, NotTrusted, Request
from agent.record.usages import Use

Say = Callable[[str, str], None]
"""Function that prints the result of a step: the step's name, and a text."""


def tls_identity(
    store: IdentityStore,
    est: EstClient,
    expected: Expected,
    *,
    current: TlsIdentity | None,
    login: tuple[str, str] | None,
) -> TlsIdentity | Pending:
    """Ask for a certificate for a new key: by `login`, or else renewed as the `current` one.

    The key is durable before it is asked for, and used once its certificate is durable too.

    Raises:
        NoAnswer, NotIssued, NotGenuine: as EstClient.enrol; or it is not what was asked for.
        StorageFault: the disk failed; what was in use is whole.
    """
    key = store.next_key(current)
    request = certificates.request(key, expected.device_id)
    operation = Operation.AGAIN if login is None else Operation.FIRST
    got = _chain(est, Use.TLS, operation, request, expected, login=login)
    if isinstance(got, Pending):
        return got
    new = TlsIdentity(key, got)
    store.install(new)
    return new


def for_capture(
    est: EstClient, use: Use, request: Request, expected: Expected
) -> CertificateChain | Pending:
    """Ask, as this device, for a certificate that capture keeps: for evidence, or for serve.

    Raises:
        NoAnswer, NotIssued, NotGenuine: as `tls_identity`; or it would not count for this use.
    """
    return _chain(est, use, Operation(f"{use}/simpleenroll"), request, expected)


def _chain(
    est: EstClient,
    use: Use,
    operation: Operation,
    request: Request,
    expected: Expected,
    *,
    login: tuple[str, str] | None = None,
) -> CertificateChain | Pending:
    found = est.enrol(operation, request, login)
    if isinstance(found, Pending):
        return found
    try:
        chain = _dated(est, found, request, expected)
        usages.check(use, chain[0], request.names)
    except NotGenuine as error:
        words = "nothing was changed; ask the authority's operator"
        raise NotGenuine(
            f"{operation}: the certificate does not count: {error}; {words}"
        ) from error
    return chain


def _dated(
    est: EstClient, found: Sequence[Certificate], request: Request, expected: Expected
) -> CertificateChain:
    """Return the chain of the certificate that was asked for, if it is valid now."""
    try:
        chain = certificates.issued(found, request.key, expected)
    except NotTrusted:  # RFC 7030 section 4.2.3: what leads to the root may be in cacerts only
        chain = certificates.issued([*found, *est.authorities()], request.key, expected)
    check_dates(chain[0])
    return chain
