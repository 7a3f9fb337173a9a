"""What a completion asks: the version filled in, and the model that is to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import FieldFault
from assay.gateway.errors import ModelError
from assay.gateway.retry import RetryPolicy
from assay.gateway.service import Gateway
from assay.gateway.types import Model, ModelRequest, ModelResponse
from assay.identity.actor import Actor, Role
from assay.playground.access import authorize, project_of_version
from assay.playground.prompts.completions.schemas import CompletionRequest
from assay.playground.prompts.versions.service import VersionNotFound, fill_in, get_version

# Somebody waits for the answer, so an error that stays is to come soon.
IMPATIENT = RetryPolicy(attempts=3, patience=20.0)


@dataclass(frozen=True, slots=True)
class Question:
    """A request, and the model that it goes to."""

    model: Model
    request: ModelRequest


async def prepare(
    session: AsyncSession,
    actor: Actor,
    gateway: Gateway,
    version_id: UUID,
    wanted: CompletionRequest,
) -> Question:
    """Check all that can be known before the model is asked.

    Raises:
        VersionNotFound, RoleTooLow: it takes an editor of the project, since it costs money.
        VariablesFault, TemplateFault: the prompt cannot be filled in with these variables.
        ModelError: the model cannot be asked.
    """
    missing = VersionNotFound("There is no prompt version with this id.")
    project = project_of_version(version_id)
    await authorize(session, actor, Role.editor, project, missing)
    version = await get_version(session, actor, version_id)
    try:
        model = gateway.model(wanted.model, retry=IMPATIENT)
    except ModelError as error:
        error.errors = [FieldFault("body.model", error.detail)]
        raise
    parameters = {**(version.model_defaults or {}), **wanted.parameters}
    messages = fill_in(version, wanted.variables)
    return Question(model, ModelRequest(messages, parameters, wanted.output_schema))


def described(response: ModelResponse) -> Mapping[str, Any]:
    """An answer in the shape of `Completion`."""
    usage = response.usage
    first = response.first_token_ms
    return {
        "output": response.text,
        "output_json": response.output_json,
        "usage": {
            "tokens_in": usage.tokens_in,
            "tokens_out": usage.tokens_out,
            "tokens_cached": usage.tokens_cached,
        },
        "latency_ms": round(response.latency_ms, 2),
        "first_token_ms": None if first is None else round(first, 2),
        "cost": response.cost,
        "finish_reason": response.finish_reason,
    }
