"""Metrics of model calls in this process."""

from prometheus_client import Counter, Histogram

from assay.gateway.errors import ModelError
from assay.gateway.types import ModelResponse

_CALLS = Counter("assay_model_calls", "Calls of models, by how they ended", ["model", "outcome"])
_SECONDS = Histogram(
    "assay_model_call_seconds",
    "Time that models took to answer",
    ["model"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
)
_TOKENS = Counter("assay_model_tokens", "Tokens sent to models and got from them", ["model", "way"])
_COST = Counter("assay_model_cost_usd", "What calls of models cost", ["model"])


class ModelMetrics:
    """Counts the calls of one model; made once for it, since finding a counter costs."""

    def __init__(self, model: str) -> None:
        """Count for `provider/model`."""
        self._model = model
        self._calls = _CALLS.labels(model, "answered")
        self._seconds = _SECONDS.labels(model)
        self._tokens_in = _TOKENS.labels(model, "in")
        self._tokens_out = _TOKENS.labels(model, "out")
        self._cost = _COST.labels(model)

    def answered(self, response: ModelResponse) -> None:
        """Count a call that was answered."""
        self._calls.inc()
        self._seconds.observe(response.latency_ms / 1000)
        self._tokens_in.inc(response.usage.tokens_in)
        self._tokens_out.inc(response.usage.tokens_out)
        if response.cost:
            self._cost.inc(response.cost)

    def failed(self, error: ModelError) -> None:
        """Count a call that failed for good."""
        _CALLS.labels(self._model, error.code).inc()
