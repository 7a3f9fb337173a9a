"""Completions over HTTP."""

from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request, Response

from assay.core.errors import Invalid
from assay.core.problems import problems
from assay.core.templates import TemplateFault
from assay.gateway.errors import (
    MalformedResponse,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    RemoteForbidden,
    UnknownModel,
)
from assay.gateway.service import Gateway
from assay.playground.access import Editor
from assay.playground.prompts.completions import service
from assay.playground.prompts.completions.answer import CompletionAnswer
from assay.playground.prompts.completions.schemas import Completion, CompletionRequest
from assay.playground.prompts.variables import VariablesFault
from assay.playground.prompts.versions.service import VersionNotFound

router = APIRouter(tags=["prompt-versions"])

EVENT = {
    "type": "object",
    "description": "One event of the stream",
    "properties": {"data": {"type": "string", "contentMediaType": "application/json"}},
    "required": ["data"],
}


@router.post(
    "/prompt-versions/{version_id}/complete",
    response_class=Response,
    responses={
        200: {
            "model": Completion,
            "description": "With `stream`, events whose data is JSON: any number of "
            '`{"delta": text}`, then `{"done": completion}`, or `{"error": problem}` where it '
            "broke off. Without, the completion.",
            "content": {"text/event-stream": {"schema": EVENT}},
        },
        **problems(Invalid, VersionNotFound, VariablesFault, TemplateFault, UnknownModel),
        **problems(ModelError, MalformedResponse, ModelUnavailable, RateLimited, ModelTimeout),
        **problems(RemoteForbidden),
    },
)
async def complete_version(
    request: Request, actor: Editor, version_id: UUID, wanted: CompletionRequest
) -> Response:
    """Fill in a version's templates and ask a model, once; the answer is not kept."""
    state = request.app.state
    async with state.database.session() as session:
        gateway = cast("Gateway", state.gateway)
        question = await service.prepare(session, actor, gateway, version_id, wanted)
    return CompletionAnswer(question, stream=wanted.stream)
