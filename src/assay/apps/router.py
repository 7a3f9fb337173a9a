"""The routers of this room's resources, under `/api`."""

from fastapi import APIRouter

from assay.apps.chat.messages.endpoints import router as messages
from assay.apps.chat.sessions.endpoints import router as sessions
from assay.apps.evaluations.endpoints import router as runs
from assay.apps.evaluations.endpoints import threads
from assay.apps.evaluators.endpoints import router as evaluators
from assay.apps.files.endpoints import router as files
from assay.apps.history.endpoints import router as history
from assay.apps.jobs.endpoints import router as jobs
from assay.apps.listings.endpoints import router as listings
from assay.apps.prompts.endpoints import router as prompts
from assay.apps.schemas.endpoints import router as schemas
from assay.apps.settings.endpoints import router as settings
from assay.apps.tags.endpoints import router as tags

router = APIRouter()
for resource in (
    prompts,
    schemas,
    evaluators,
    jobs,
    runs,
    threads,
    sessions,
    messages,
    tags,
    history,
    settings,
    files,
    listings,
):
    router.include_router(resource)
