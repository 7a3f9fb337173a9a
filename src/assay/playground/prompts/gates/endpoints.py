"""Endpoints of gates."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.playground.access import Editor, Reader
from assay.playground.prompts.gates import service
from assay.playground.prompts.gates.schemas import GatePut, GateRead
from assay.playground.prompts.gates.service import GateNotFound
from assay.playground.prompts.models import LabelGate
from assay.playground.prompts.service import PromptNotFound
from assay.playground.prompts.versions.schemas import Label

router = APIRouter(
    prefix="/prompts/{prompt_id}",
    tags=["prompt-labels"],
    responses=problems(Invalid, PromptNotFound),
)


@router.get("/gates", response_model=list[GateRead])
async def list_gates(
    session: Session, actor: Reader, page: Paging, prompt_id: UUID
) -> Sequence[LabelGate]:
    """List the gates of a prompt's protected labels, by label."""
    return await service.list_gates(session, actor, prompt_id, page)


@router.put("/labels/{label}/gate", response_model=GateRead)
async def put_gate(
    session: Session, actor: Editor, prompt_id: UUID, label: Annotated[Label, Path()], new: GatePut
) -> LabelGate:
    """Protect a label: only a version that meets the gate gets it."""
    return await service.put_gate(session, actor, prompt_id, label, new)


@router.delete(
    "/labels/{label}/gate",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(GateNotFound),
)
async def delete_gate(
    session: Session, actor: Editor, prompt_id: UUID, label: Annotated[Label, Path()]
) -> None:
    """Take a gate away; whatever version has the label keeps it."""
    await service.delete_gate(session, actor, prompt_id, label)
