"""The web application put together: lifespan, middleware, routers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.routing import APIRoute
from pydantic import BaseModel

from assay import __version__
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.errors import SetupError
from assay.core.middleware import BodyLimit, RequestId, UnexpectedErrors
from assay.core.problems import Problem, install_problem_handlers
from assay.startup import open_database
from assay.wiring import v1_routers
from assay.worker import open_gateway, run_worker

health = APIRouter(tags=["health"])


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


def operation_id(route: APIRoute) -> str:
    """`tag:function`, so that generated clients have readable names."""
    return f"{route.tags[0] if route.tags else 'assay'}:{route.name}"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the database, the gateway and the worker inside; close them in reverse."""
    settings = cast("Settings", app.state.settings)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        gateway = await stack.enter_async_context(open_gateway(settings, database))
        app.state.database = database
        app.state.gateway = gateway
        if settings.server_workers:
            await stack.enter_async_context(run_worker(settings, database, gateway))
        yield


def create_app(settings: Settings) -> FastAPI:
    """The application; its lifespan opens and closes everything it needs."""
    app = FastAPI(
        title="Assay",
        version=__version__,
        summary="Prompts, datasets, evaluations, agents and people in one self-hosted server.",
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
    )
    app.state.settings = settings
    app.include_router(health)
    for router in v1_routers():
        app.include_router(router, prefix="/api/v1")
    install_problem_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(UnexpectedErrors)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Link", "X-Request-ID", "X-Total-Count"],
    )
    app.add_middleware(RequestId)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the problem document into the OpenAPI document that `app` generates."""
    generate = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            document = generate()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas["Problem"] = schema
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
