"""The routers of this room's resources."""

from fastapi import APIRouter

from assay.playground.datasets.endpoints import router as datasets
from assay.playground.datasets.items.endpoints import router as items
from assay.playground.projects.endpoints import projects, use_cases
from assay.playground.projects.members.endpoints import router as members
from assay.playground.prompts.endpoints import router as prompts
from assay.playground.prompts.versions.endpoints import labels, versions
from assay.playground.runs.endpoints import router as runs

router = APIRouter()
for resource in (projects, members, use_cases, prompts, versions, labels, datasets, items, runs):
    router.include_router(resource)
