"""The reference backend with one fault: its environment has the check that must name it."""

import base64
import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.record.certificates import common_name
from agent.record.signing import PublicKey
from doorstep_backend.__main__ import main
from doorstep_backend.identity import admission, retire_route
from doorstep_backend.identity.admission import Admission, device_of
from doorstep_backend.identity.authority import EVIDENCE_BEGINS, EVIDENCE_ENDS, Authority
from doorstep_backend.identity.est import EstRoutes
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.identity.known import CertificateUse, IssuedCertificate
from doorstep_backend.identity.register import Register
from doorstep_backend.identity.shown import passed_on
from doorstep_backend.office.delivery_routes import DeliveryRoutes, Issued, Sign
from doorstep_backend.wire import manifest
from doorstep_backend.wire.manifest import ManifestRoute

BROKEN: Final = "DOORSTEP_BROKEN"
"""Environment variable with a check of FAULTS."""


def _replace(owner: object, name: str, changed: Callable[[Any], object]) -> None:
    """Put what `changed` makes of a part in its place."""
    setattr(owner, name, changed(getattr(owner, name)))


def _manifest_of_another_type() -> None:
    _replace(manifest, "TYPE", lambda _: "JWT")


def _manifest_never_304() -> None:
    """Send the manifest again and again; the fleet document is right."""
    _replace(
        manifest,
        "_has",
        lambda has: lambda request, tag: request.url.path == "/fleet" and has(request, tag),
    )


def _manifest_of_the_name_in_basic() -> None:
    def named(basic: Callable[[Request], tuple[str, str]]) -> Callable[[Request], tuple[str, str]]:
        return lambda request: (
            basic(request)
            if "Authorization" in request.headers
            else (device_of(request.scope) or "", "")
        )

    _replace(manifest, "device_of", lambda _: lambda _scope: None)
    _replace(manifest, "basic", named)


def _empty_object_without_a_route() -> None:
    def never_404(answer: Any) -> Any:
        async def answered(self: ManifestRoute, request: Request) -> Response:
            try:
                found: Response = await answer(self, request)
            except HTTPException:
                return JSONResponse({})
            return found

        return answered

    _replace(ManifestRoute, "answer", never_404)


def _etag_that_is_no_digest() -> None:
    """Give the fleet document an ETag that no device ever names."""
    _replace(manifest, "tag_of", lambda tag_of: lambda token: f'"{tag_of(token)[1:9]}"')


def _fleet_document_for_everybody() -> None:
    _replace(admission, "_OPEN", lambda paths: paths | {"/fleet"})


def _cacerts_in_binary() -> None:
    async def cacerts(self: Any, _request: Request) -> Response:
        der = pkcs7.serialize_certificates([self._authority.certificate], Encoding.DER)
        return Response(der, media_type="application/pkcs7-mime")

    _replace(EstRoutes, "cacerts", lambda _: cacerts)


def _any_token() -> None:
    _replace(Register, "is_token", lambda _: lambda *_words: True)


def _token_for_any_number_of_keys() -> None:
    _replace(Register, "enrol", lambda _: Register.renew)


def _renewal_of_the_old_key() -> None:
    """Answer a renewal with the certificate that the device has."""
    _replace(
        Register, "renew", lambda _: lambda self, device, *_words: self.certificates(device)[0]
    )


def _evidence_for_clients() -> None:
    """Issue evidence certificates that also open connections."""

    def evidence(self: Any, device_id: str, key: PublicKey) -> x509.Certificate:
        builder = self._for(device_id, key, EVIDENCE_BEGINS, EVIDENCE_ENDS)
        made: x509.Certificate = self._signed(builder, ExtendedKeyUsageOID.CLIENT_AUTH)
        return made

    _replace(Authority, "evidence", lambda _: evidence)


def _name_of_the_request() -> None:
    """Renew in whatever name the request has."""

    def named(renew: Any) -> Any:
        async def renewed(self: Any, request: Request) -> Response:
            asked = x509.load_der_x509_csr(base64.b64decode(await request.body()))
            name = common_name(asked)
            if name == device_of(request.scope):
                answer: Response = await renew(self, request)
                return answer
            made = self._authority.tls(name, asked.public_key(), datetime.now(UTC))
            der = pkcs7.serialize_certificates([made], Encoding.DER)
            return Response(base64.encodebytes(der), media_type="application/pkcs7-mime")

        return renewed

    _replace(EstRoutes, "renew", named)


def _anybody_retires() -> None:
    _replace(retire_route, "technician_of", lambda _: lambda _scope: "anybody")


def _any_authority() -> None:
    """Believe the name in whatever certificate a proxy passes on."""

    def by_name(init: Callable[..., None]) -> Callable[..., None]:
        def begun(self: Admission, app: Any, register: Register, clients: Any, **_: Any) -> None:
            init(self, app, register, clients, lambda scope: _serial_by_name(register, scope))

        return begun

    _replace(Admission, "__init__", by_name)


def _serial_by_name(register: Register, scope: Any) -> int | None:
    shown = passed_on(scope["headers"])
    if shown is None:
        return None
    issued = register.certificates(common_name(shown))
    return int([one for one in issued if one.use is CertificateUse.TLS][-1].serial, 16)


def _asked_once() -> None:
    """Check a certificate when a request begins, and not again when its body has arrived."""
    _replace(Admission, "_asked_again", lambda _: lambda _self, _serial, receive: receive)


def _ended_certificates() -> None:
    def let_in(objection: Callable[..., str | None]) -> Callable[..., str | None]:
        def objected(known: IssuedCertificate | None, now: datetime, path: str) -> str | None:
            return objection(known, now if known is None else min(now, known.until), path)

        return objected

    _replace(admission, "objection", let_in)


def _key_of_the_start() -> None:
    """Sign with one key for ever, also when the fleet document names another."""
    _replace(FleetDocuments, "key_in_use", functools.cache)


def _version_that_stays() -> None:
    """Sign a changed manifest under the version of the one before."""

    def same(issue: Callable[..., Issued]) -> Callable[..., Issued]:
        def issued(self: DeliveryRoutes, changed: Any, now: datetime, sign: Sign) -> Issued:
            if changed.last_version == 0:
                return issue(self, changed, now, sign)
            as_before = replace(changed, last_version=changed.last_version - 1)
            return issue(self, as_before, datetime.fromtimestamp(0, UTC), sign)

        return issued

    _replace(DeliveryRoutes, "_issue", same)


FAULTS: Final[Mapping[str, Callable[[], None]]] = {
    "manifest-type-and-key": _manifest_of_another_type,
    "manifest-etag-304": _manifest_never_304,
    "manifest-of-own-certificate": _manifest_of_the_name_in_basic,
    "manifest-404-without-route": _empty_object_without_a_route,
    "fleet-etag-walk": _etag_that_is_no_digest,
    "no-certificate-403": _fleet_document_for_everybody,
    "cacerts": _cacerts_in_binary,
    "enrol-by-token": _any_token,
    "token-once": _token_for_any_number_of_keys,
    "re-enrol": _renewal_of_the_old_key,
    "evidence-certificate": _evidence_for_clients,
    "foreign-authority-refused": _any_authority,
    "certificate-of-own-name": _name_of_the_request,
    "retire-only-itself": _anybody_retires,
    "revoked-while-uploading": _asked_once,
    "expired-certificate": _ended_certificates,
    "key-change": _key_of_the_start,
    "manifest-version-rises": _version_that_stays,
}
"""Faults by the check that must name each; called before the backend starts."""

if __name__ == "__main__":
    FAULTS[os.environ[BROKEN]]()
    sys.exit(main())
