"""The web application put together: lifespan, middleware, routers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel

from assay import __version__
from assay.agents.tasks.events.models import CHANNEL as TASK_EVENTS
from assay.consults.requests.waiting import CHANNEL as ENDED_REQUESTS
from assay.core.config import Settings
from assay.core.database import Database, Session
from assay.core.errors import SetupError
from assay.core.listening import Listener
from assay.core.metrics import Measured, exposition
from assay.core.middleware import BodyLimit, RequestId, UnexpectedErrors
from assay.core.problems import install_problem_handlers
from assay.core.secrets import load_secret_key
from assay.core.security_headers import SecurityHeaders
from assay.core.waiters import Waiters
from assay.events.feed import EventFeed
from assay.files.backends import open_storage
from assay.gateway.credentials.store import CredentialStore
from assay.identity.access import MetricsReader, SignedIn, public, public_paths
from assay.identity.authentication import CHANNEL as IDENTITY_CHANNEL
from assay.identity.authentication import Authenticator
from assay.identity.middleware import Authentication
from assay.identity.safety import require_safe_to_serve
from assay.jobs.metrics import count_jobs
from assay.openapi import complete_document
from assay.startup import open_database
from assay.wiring import (
    RequestedPeople,
    api_routers,
    job_handlers,
    projects_of,
    upload_limits,
    v1_routers,
)
from assay.worker import open_gateway, open_workshop, run_worker

health = APIRouter(tags=["health"], dependencies=[public])
pages = APIRouter()


class Health(BaseModel):
    """Whether the server works."""

    status: str


class DatabaseHealth(Health):
    """Whether the server works, and its database with it."""

    database: str
    reason: str | None = None


async def _database_answers(request: Request) -> str | None:
    try:
        await cast("Database", request.app.state.database).check()
    except SetupError as error:
        return error.detail
    return None


@health.get("/health", responses={503: {"model": Health}})
async def get_health(request: Request, response: Response) -> Health:
    """Whether the server and its database work (503 where not)."""
    return await _health(request, response)


@health.get("/health/ready", responses={503: {"model": Health}})
async def get_readiness(request: Request, response: Response) -> Health:
    """Whether the server can take requests (503 where not)."""
    return await _health(request, response)


async def _health(request: Request, response: Response) -> Health:
    if await _database_answers(request) is None:
        return Health(status="ok")
    response.status_code = 503
    return Health(status="error")


@health.get(
    "/api/health",
    responses={503: {"model": DatabaseHealth}},
    response_model_exclude_none=True,
)
async def get_api_health(request: Request, response: Response) -> DatabaseHealth:
    """Whether the server and its database work, with the reason where not."""
    reason = await _database_answers(request)
    if reason is None:
        return DatabaseHealth(status="ok", database="connected")
    response.status_code = 503
    return DatabaseHealth(status="error", database="unreachable", reason=reason)


@pages.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request, _actor: SignedIn) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@pages.get("/docs", include_in_schema=False)
async def get_docs(_actor: SignedIn) -> HTMLResponse:
    """The API, described and to be tried out."""
    return get_swagger_ui_html(openapi_url="openapi.json", title="Assay")


@pages.get("/metrics", include_in_schema=False)
async def get_metrics(session: Session, _actor: MetricsReader) -> Response:
    """Metrics for Prometheus."""
    await count_jobs(session)
    return exposition()


def operation_id(route: APIRoute) -> str:
    """`tag:function`, so that generated clients have readable names."""
    return f"{route.tags[0] if route.tags else 'assay'}:{route.name}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what a server needs, and the worker inside; close it all in reverse."""
    settings = cast("Settings", app.state.settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        await require_safe_to_serve(settings, database)
        listener = Listener(database)
        credentials = CredentialStore(settings, database, listener)
        app.state.database = database
        app.state.storage = open_storage(settings)
        app.state.authenticator = Authenticator(database, load_secret_key(settings), listener)
        app.state.feed = EventFeed(database, listener)
        app.state.ended_requests = Waiters(listener, ENDED_REQUESTS)
        app.state.task_waiters = Waiters(listener, TASK_EVENTS)
        # Whoever may see less or more from now on is looked at before the next event comes.
        listener.on(IDENTITY_CHANNEL, app.state.feed.wake)
        await stack.enter_async_context(listener)
        await stack.enter_async_context(app.state.feed)
        app.state.gateway = await stack.enter_async_context(
            open_gateway(settings, database, credentials)
        )
        app.state.workshop = await stack.enter_async_context(
            open_workshop(settings, database, app.state.gateway)
        )
        app.state.job_handlers = job_handlers(settings, app.state.workshop)
        if settings.server_workers:
            await stack.enter_async_context(run_worker(settings, database, app.state.workshop))
        yield


def create_app(settings: Settings) -> FastAPI:
    """The application; its lifespan opens and closes everything it needs.

    Raises:
        UnguardedRoute: somebody forgot to say who may use a route.
    """
    app = FastAPI(
        title="Assay",
        version=__version__,
        summary="Prompts, datasets, evaluations, agents and people in one self-hosted server.",
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
        # They need a sign-in as everything else, so they are routes of our own.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.projects_of = projects_of
    app.state.people = RequestedPeople()
    app.include_router(health)
    app.include_router(pages)
    for router in v1_routers():
        app.include_router(router, prefix="/api/v1")
    for router in api_routers():
        app.include_router(router, prefix="/api")
    install_problem_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    app.add_middleware(
        BodyLimit,
        limit=settings.max_body_bytes,
        uploads=upload_limits(settings),
    )
    app.add_middleware(Authentication, server=app, settings=settings, public=public_paths(app))
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            "Accept-Ranges",
            "Content-Disposition",
            "Content-Range",
            "ETag",
            "Link",
            "X-Request-ID",
            "X-Total-Count",
        ],
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Measured)
    app.add_middleware(RequestId)
    complete_document(app)
    return app
