"""The application: tus, receipts on request, and what is asked beside them, wired by hand."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from agent.record import signing
from doorstep_backend import health
from doorstep_backend.api.service import Api
from doorstep_backend.health import Health, Readiness
from doorstep_backend.identity.admission import Admission, BenchAdmission
from doorstep_backend.identity.ending import DeviceEnding
from doorstep_backend.identity.est import EstRoutes, Identity
from doorstep_backend.identity.fleet import FleetDocuments
from doorstep_backend.identity.fleet_route import FleetRoute
from doorstep_backend.identity.retire_route import RetireRoute
from doorstep_backend.identity.shown import Shown, serial_by_tls
from doorstep_backend.office.expiry import Expiry
from doorstep_backend.office.model import Office
from doorstep_backend.office.worker import Worker
from doorstep_backend.pages import PREFIX
from doorstep_backend.pages.site import Site
from doorstep_backend.reports.fleet import FleetReports
from doorstep_backend.reports.intake import ReportIntake
from doorstep_backend.reports.routes import FleetRoutes
from doorstep_backend.reports.store import Reports
from doorstep_backend.wire import headers
from doorstep_backend.wire.asking import in_thread
from doorstep_backend.wire.connections import TimeoutProtocol, WholeBodies
from doorstep_backend.wire.intake import DigestMismatchError, Intake, NotVouchedError, is_closed_to
from doorstep_backend.wire.manifest import ManifestRoute
from doorstep_backend.wire.outage import UnavailableTo503
from doorstep_backend.wire.questions import asked_ids, json_object
from doorstep_backend.wire.store import Store
from doorstep_backend.wire.tus import Tus

log = logging.getLogger(__name__)


class Receipts:
    """POST /receipts: receipts whose answer was lost on the way."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake

    async def answer(self, request: Request) -> Response:
        """Return the receipt or refusal of each id that is asked for, null without one.

        Raises:
            HTTPException: 403, if no id has one and the signing key of a record is not vouched for.
        """
        ids = asked_ids(await json_object(request))
        not_vouched: list[NotVouchedError] = []
        told = {one: await in_thread(self._one, one, request.scope, not_vouched) for one in ids}
        if not_vouched and not any(told.values()):
            raise HTTPException(403, str(not_vouched[0]))
        return JSONResponse(told)

    def _one(
        self,
        capture_id: str,
        scope: Any,
        not_vouched: list[NotVouchedError],
    ) -> dict[str, str] | None:
        upload = self._store.find(capture_id)
        if upload is not None and is_closed_to(scope, upload):
            return None
        unfinished = upload is None or self._store.offset(upload) < upload.length
        if upload is None or unfinished:
            return None
        try:
            verdict = self._intake.judge(upload)
        except DigestMismatchError:
            return None
        except NotVouchedError as error:
            not_vouched.append(error)
            return None
        return {"receipt" if verdict.accepted else "refusal": verdict.jws}


def _nothing_around(_store: Store) -> Sequence[Middleware]:
    return ()


@dataclass(frozen=True, slots=True)
class Wiring:
    """The classes that the server is made of, and the middleware around its application.

    Attributes:
        middleware: called with the store; see `around` in `create_app`.
    """

    store: type[Store] = Store
    intake: type[Intake] = Intake
    protocol: type[TimeoutProtocol] = TimeoutProtocol
    middleware: Callable[[Store], Sequence[Middleware]] = _nothing_around


def create_app(
    store: Store,
    intake: Intake,
    key: Callable[[], signing.PrivateKey],
    *,
    around: Sequence[Middleware] = (),
    office: Office | None = None,
    site: Site | None = None,
    api: Api | None = None,
    documents: FleetDocuments | None = None,
    identity: Identity | None = None,
    shown: Shown = serial_by_tls,
    reports: Reports | None = None,
) -> Starlette:
    """Return the ASGI application; it runs on connections of a TimeoutProtocol only.

    The middleware `around` it sees each request first; only probes are answered before. Without an
    `office` it takes records in and files none, and has no manifests; without a `site` it has no
    pages for people, without an `api` nothing for other systems, without `documents` no fleet
    document. Without an `identity` it asks nobody for a certificate; with one it asks for those
    that are `shown`, and only then, and with an `office`, are there `reports` of devices.
    """
    routes: list[BaseRoute] = [
        *Tus(store, intake).routes(),
        Route("/receipts", Receipts(store, intake).answer, methods=["POST"]),
    ]
    if office is not None:
        routes += ManifestRoute(office.routes, key, office.ledger.now).routes()
    if site is not None:
        routes += [Route(bare, _into_the_pages) for bare in ("/", PREFIX)]
        routes.append(site.mount())
    if api is not None:
        routes.append(api.mount())
    if documents is not None:
        routes += FleetRoute(documents).routes()
    proxies = () if office is None else office.settings.proxy
    middleware = [
        Middleware(WholeBodies),
        Middleware(Health, readiness=Readiness(health_checks(store, office, key)), proxies=proxies),
        *around,
        Middleware(UnavailableTo503),
    ]
    if identity is None:
        middleware.append(Middleware(BenchAdmission))
    else:
        routes += EstRoutes(identity).routes()
        if office is not None:
            routes += RetireRoute(DeviceEnding(identity.register, office)).routes()
        register, clients = identity.register, identity.clients
        middleware.append(Middleware(Admission, register=register, clients=clients, shown=shown))
    if reports is not None and office is not None:
        fleet, filing_backlog = FleetReports(store.folder), store.filing_backlog
        routes += FleetRoutes(fleet, reports, filing_backlog, office).routes()
        middleware.append(Middleware(ReportIntake, reports=reports))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        with ExitStack() as at_work:
            if office is not None:
                at_work.enter_context(Worker(office).running())
                at_work.enter_context(Expiry(office.erasure).running())
            yield

    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={
            HTTPException: _refused,
            ClientDisconnect: _nobody_hears,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a device follows no redirect: /files/ is nothing
    return app


def health_checks(
    store: Store, office: Office | None, key: Callable[[], signing.PrivateKey]
) -> list[health.Check]:
    """Return the checks of everything that the backend needs to accept a record."""
    checks = [health.database("backend", store.db), health.objects(store.objects)]
    checks += [health.Check("keys", key), health.Check("clock", store.db.now)]
    if office is not None and office.ledger.engine == "sqlite":  # on PostgreSQL both are one
        checks.append(health.database("orders", office.ledger))
    return checks


async def _into_the_pages(_request: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/")


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    more = {"Tus-Resumable": headers.TUS_VERSION, **(error.headers or {})}
    return PlainTextResponse(f"{error.detail}\n", error.status_code, more)


def _nobody_hears(_request: Request, _error: Exception) -> Response:
    """Answer nothing: the connection was cut in the middle of a body."""
    return Response(status_code=400)
