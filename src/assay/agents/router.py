"""All routes of this room, under `/api/v1`."""

from fastapi import APIRouter

from assay.agents.agents.endpoints import router as agents_router
from assay.agents.sandboxes.endpoints import router as sandboxes_router
from assay.agents.tasks.endpoints import router as tasks_router

router = APIRouter()
for resource in (agents_router, tasks_router, sandboxes_router):
    router.include_router(resource)
