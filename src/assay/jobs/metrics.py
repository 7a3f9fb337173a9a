"""Metrics of the jobs that are not done, counted in the database: of all workers together."""

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.jobs.models import Job, JobStatus

_JOBS = Gauge("assay_jobs", "Jobs that wait or run", ["job_type", "status"])
_ACTIVE = (JobStatus.queued, JobStatus.running)


async def count_jobs(session: AsyncSession) -> None:
    """Bring the metrics up to date."""
    query = select(Job.job_type, Job.status, func.count()).where(Job.status.in_(_ACTIVE))
    rows = (await session.execute(query.group_by(Job.job_type, Job.status))).all()
    _JOBS.clear()
    for job_type, status, count in rows:
        _JOBS.labels(job_type, status).set(count)
