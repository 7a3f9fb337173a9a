"""All routes of this room, under `/api/v1`."""

from fastapi import APIRouter

from assay.consults.requests.comments.endpoints import router as comments_router
from assay.consults.requests.endpoints import router as requests_router
from assay.consults.webhooks.deliveries.endpoints import router as deliveries_router
from assay.consults.webhooks.endpoints import router as webhooks_router

router = APIRouter()
for inner in (requests_router, comments_router, webhooks_router, deliveries_router):
    router.include_router(inner)
