"""All routes of this room, under `/api/v1`."""

from fastapi import APIRouter

import assay.consults.requests.comments.models
import assay.consults.webhooks.deliveries.models  # noqa: F401

router = APIRouter()
