"""Traces, sent to an OpenTelemetry collector where the environment names one.

The variables are OpenTelemetry's own: `OTEL_EXPORTER_OTLP_ENDPOINT` switches it on, and
`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS` and so on mean what they
mean everywhere. FastAPI makes the spans of requests by itself once there is a provider.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

import anyio.to_thread
from opentelemetry import trace

from assay import __version__
from assay.core.database import Database
from assay.core.errors import SetupError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

tracer = trace.get_tracer("assay", __version__)
"""Makes spans; where nobody wants traces they cost next to nothing."""


def traces_wanted() -> bool:
    """Whether the environment names a collector."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() == "none":
        return False
    return any(os.environ.get(name) for name in _ENDPOINTS)


@asynccontextmanager
async def traced(database: Database) -> AsyncIterator[None]:
    """Trace the statements of `database`, and send all spans before the end.

    Does nothing where no collector is named.

    Raises:
        SetupError: one is named, and the optional packages are not installed.
    """
    if not traces_wanted():
        yield
        return
    provider = _provider()
    from opentelemetry.instrumentation.sqlalchemy import (  # noqa: PLC0415  # optional
        SQLAlchemyInstrumentor,
    )

    statements = SQLAlchemyInstrumentor()
    # It names SQLAlchemy below 2.1 as what it is tested with; our tests hold it against ours.
    statements.instrument(
        engine=database.engine.sync_engine, tracer_provider=provider, skip_dep_check=True
    )
    try:
        yield
    finally:
        statements.uninstrument()
        await anyio.to_thread.run_sync(provider.force_flush)


@cache
def _provider() -> "TracerProvider":
    """The one provider of this process; OpenTelemetry takes no second one."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415  # optional
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  # optional
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  # optional
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  # optional
    except ImportError:
        raise SetupError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but what sends traces is not installed: "
            "install assay[otel], or unset it."
        ) from None
    name = os.environ.get("OTEL_SERVICE_NAME") or "assay"
    resource = Resource.create({"service.name": name, "service.version": __version__})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
