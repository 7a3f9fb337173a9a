"""Jobs as Prometheus is told of them."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from assay.core.database import Database
from assay.core.metrics import exposition
from assay.identity.actor import LOCAL_ACTOR
from assay.jobs import service
from assay.jobs.metrics import count_jobs
from assay.jobs.models import Job, JobStatus
from assay.jobs.service import NewJob


async def counted(database: Database) -> dict[tuple[str, str], float]:
    async with database.session() as session:
        await count_jobs(session)
    text = bytes(exposition().body).decode()
    return {
        (sample.labels["job_type"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        if family.name == "assay_jobs"
        for sample in family.samples
    }


async def test_jobs_that_wait_or_run_are_counted(own_database: Database) -> None:
    assert await counted(own_database) == {}
    statuses = [*JobStatus, JobStatus.queued]
    async with own_database.session() as session:
        for job_type in ("one", "two"):
            jobs = await service.enqueue(
                session, LOCAL_ACTOR, *[NewJob(job_type, {}) for _ in statuses]
            )
            for job, status in zip(jobs, statuses, strict=True):
                job.status = status
    expected = Counter(
        {
            (job_type, status): number
            for job_type in ("one", "two")
            for status, number in (("queued", 2.0), ("running", 1.0))
        }
    )
    assert await counted(own_database) == expected


async def test_those_that_have_ended_are_gone(own_database: Database) -> None:
    async with own_database.session() as session:
        [job] = await service.enqueue(session, LOCAL_ACTOR, NewJob("one", {}))
    assert await counted(own_database) == {("one", "queued"): 1.0}
    async with own_database.session() as session:
        (await session.get_one(Job, job.id)).status = JobStatus.completed
    assert await counted(own_database) == {}
