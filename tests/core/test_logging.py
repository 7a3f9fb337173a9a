"""Log lines as a process writes them to standard error."""

import json
import subprocess
import sys
from typing import Any

import pytest

SET_UP = """
import logging
import structlog
from assay.core.config import Settings
from assay.core.logging import configure_logging
configure_logging(Settings(log_format={form!r}, log_level={level!r}, _env_file=None))
log = structlog.get_logger("assay.room")
other = logging.getLogger("a.library")
"""


def written(script: str, *, form: str = "json", level: str = "INFO") -> str:
    """What a process that runs `script` writes to standard error."""
    process = subprocess.run(
        [sys.executable, "-c", SET_UP.format(form=form, level=level) + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert process.stdout == ""
    return process.stderr


def lines(script: str, *, level: str = "INFO") -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(script, level=level).splitlines()]


LINES = r"""
log.info("first", number=1, text="two\nlines")
other.warning("from %s", "afar")
structlog.contextvars.bind_contextvars(request_id="abc")
log.warning("in a request")
other.error("in a request\nas well")
log.debug("too fine")
logging.getLogger("uvicorn.access").info("GET / 200")
logging.getLogger("alembic.runtime.migration").info("chatter")
logging.getLogger("uvicorn.error").info("Started")
"""


def test_json_is_one_object_a_line_whoever_logs() -> None:
    found = lines(LINES)
    assert [(line["event"], line["level"], line.get("request_id")) for line in found] == [
        ("first", "info", None),
        ("from afar", "warning", None),
        ("in a request", "warning", "abc"),
        ("in a request\nas well", "error", "abc"),
        ("Started", "info", "abc"),
    ]
    assert (found[0]["number"], found[0]["text"]) == (1, "two\nlines")
    assert all(line["timestamp"].endswith("Z") for line in found)


SECRETS = """
log.info("call", api_key="S3CR3T", Authorization="S3CR3T", db_password="S3CR3T", token="S3CR3T",
         client_secret="S3CR3T", headers={"authorization": "S3CR3T", "x-api-key": "S3CR3T"},
         calls=[{"access_token": "S3CR3T", "model": "m"}])
log.info("counts", tokens_in=3, tokens_out=4, max_tokens=5, first_token_ms=6)
structlog.contextvars.bind_contextvars(api_key="S3CR3T")
other.warning("bound")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_secrets_are_hidden(form: str) -> None:
    text = written(SECRETS, form=form)
    assert "S3CR3T" not in text
    assert text.count("[hidden]") == 9


def test_counts_of_tokens_are_no_secrets() -> None:
    counts = lines(SECRETS)[1]
    assert {
        name: counts[name] for name in ("tokens_in", "tokens_out", "max_tokens", "first_token_ms")
    } == {"tokens_in": 3, "tokens_out": 4, "max_tokens": 5, "first_token_ms": 6}


FAILURE = """
def fail(local):
    raise ValueError("broken")
for logger in (log, other):
    try:
        fail("S3CR" + "3T")
    except ValueError:
        logger.exception("it failed")
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_tracebacks_show_the_way_but_no_variables(form: str) -> None:
    text = written(FAILURE, form=form)
    assert text.count("ValueError: broken") == 2
    assert text.count("in fail") == 2
    assert "S3CR3T" not in text


def test_a_traceback_in_json_stays_on_its_line() -> None:
    found = lines(FAILURE)
    assert [line["event"] for line in found] == ["it failed", "it failed"]
    assert all("\n" in line["exception"] for line in found)


def test_console_lines_without_a_terminal_have_no_colours() -> None:
    text = written('log.info("plain", number=1)', form="console")
    assert "plain" in text
    assert "number=1" in text
    assert "\x1b" not in text


def test_debug_shows_the_fine_lines() -> None:
    assert "too fine" in [line["event"] for line in lines(LINES, level="DEBUG")]
