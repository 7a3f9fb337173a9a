import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from assay.gateway.errors import ModelUnavailable
from assay.gateway.log import LoggedModel
from assay.gateway.types import ModelRequest

Ask = Callable[[str], ModelRequest]


@pytest.fixture(autouse=True)
def _own_configuration() -> Iterator[None]:
    """Another test may have routed the logs elsewhere."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


async def test_an_answer_is_a_line_of_figures(
    fake: Any, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines, caplog.at_level(logging.DEBUG, "assay.gateway.log"):
        model = LoggedModel(fake(["an answer", "another answer"]))
        await model.complete(ask("the secret question"))
        assert [part async for part in model.stream(ask("the secret question"))]
    figures = {
        "event": "model answered",
        "log_level": "debug",
        "model": "fake/model",
        "tokens_in": 10,
        "tokens_out": 2,
        "latency_ms": 1.0,
        "attempts": 1,
        "cost": None,
    }
    assert lines == [figures, figures]


async def test_a_failure_is_a_warning_without_what_was_said(fake: Any, ask: Ask) -> None:
    error = ModelUnavailable("they said: sk-key, the secret question")
    error.attempts = 3
    with capture_logs() as lines:
        model = LoggedModel(fake([error, error]))
        with pytest.raises(ModelUnavailable):
            await model.complete(ask("the secret question"))
        with pytest.raises(ModelUnavailable):
            await anext(model.stream(ask("the secret question")))
    warning = {
        "event": "model failed",
        "log_level": "warning",
        "model": "fake/model",
        "error": "model_unavailable",
        "attempts": 3,
    }
    assert lines == [warning, warning]


async def test_answers_are_not_logged_above_debug(
    fake: Any, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as lines, caplog.at_level(logging.INFO, "assay.gateway.log"):
        await LoggedModel(fake(["an answer"])).complete(ask("x"))
    assert lines == []
