"""The only place where rooms are bound: to the foundation, and through protocols to each other."""

from collections.abc import Mapping

from fastapi import APIRouter

from assay.core.database import Base
from assay.gateway.service import Gateway
from assay.jobs.handler import JobHandler
from assay.jobs.models import Job
from assay.playground.router import router as playground_router
from assay.playground.runs.tasks import run_handlers

# Importing the rooms above has put all their tables into this one description of the database.
metadata = Base.metadata
assert Job.metadata is metadata


def v1_routers() -> list[APIRouter]:
    """The routers of all rooms under `/api/v1`."""
    return [playground_router]


def job_handlers(gateway: Gateway, max_in_flight: int) -> Mapping[str, JobHandler]:
    """Every type of job that a worker does, with its handler."""
    return {**run_handlers(gateway, max_in_flight)}
