"""What can go wrong when a model is asked.

`transient` errors are worth another attempt, the others are not::

    ModelError (AssayError)         502
    ├── UnknownProvider (Invalid)   422  no such provider
    ├── UnknownModel (Invalid)      422  the provider has no such model
    ├── MissingKey (Invalid)        422  the provider wants a key and none is set
    ├── MissingExtra (Invalid)      422  the model needs a package that is not installed
    ├── RemoteForbidden             403  this process may only ask models on loopback
    ├── RequestRefused              422  the provider says no to this request
    ├── RateLimited                 503  transient: too many requests or tokens
    ├── ModelUnavailable            503  transient: 5xx, or no connection
    ├── ModelTimeout                504  transient: no answer within the time limit
    └── MalformedResponse           502  transient: an answer that breaks the protocol
"""

from assay.core.errors import AssayError, Invalid


class ModelError(AssayError):
    """A model could not be asked, or did not answer.

    Attributes:
        retry_after: seconds the provider asked to wait, where it did.
        attempts: how often the provider was asked before this was raised.
    """

    status = 502
    code = "model_error"
    transient = False

    def __init__(self, detail: str | None = None, *, retry_after: float | None = None) -> None:
        """Take the message, which names the model, and the wait the provider asked for."""
        super().__init__(detail)
        self.retry_after = retry_after
        self.attempts = 1

    def __str__(self) -> str:
        if self.attempts == 1:
            return self.detail
        return f"{self.detail} (given up after {self.attempts} attempts)"


class UnknownProvider(ModelError, Invalid):
    """There is no provider of models with this name."""

    status = 422
    code = "unknown_provider"


class UnknownModel(ModelError, Invalid):
    """The provider has no model with this name."""

    status = 422
    code = "unknown_model"


class MissingKey(ModelError, Invalid):
    """The provider wants an API key and none is set."""

    status = 422
    code = "missing_key"


class MissingExtra(ModelError, Invalid):
    """The model needs a package that is not installed."""

    status = 422
    code = "missing_extra"


class RemoteForbidden(ModelError):
    """This process may only ask models on loopback."""

    status = 403
    code = "remote_forbidden"


class RequestRefused(ModelError):
    """The provider refused the request."""

    status = 422
    code = "request_refused"


class RateLimited(ModelError):
    """The provider takes no more requests for now."""

    status = 503
    code = "rate_limited"
    transient = True


class ModelUnavailable(ModelError):
    """The provider does not answer as it should; it may again in a moment."""

    status = 503
    code = "model_unavailable"
    transient = True


class ModelTimeout(ModelError):
    """The model did not answer within the time limit."""

    status = 504
    code = "model_timeout"
    transient = True


class MalformedResponse(ModelError):
    """The provider's answer does not follow its protocol."""

    status = 502
    code = "malformed_response"
    transient = True
