"""Some of everything in this room, for tests that walk over all routes."""

from typing import Any

from assay.apps.chat.models import ChatMessage, ChatSession
from assay.apps.evaluations.models import (
    AdversarialEvaluation,
    ApiLog,
    EvaluationRun,
    ThreadEvaluation,
)
from assay.apps.evaluators.models import Evaluator
from assay.apps.files.models import File
from assay.apps.history.models import HistoryEntry
from assay.apps.listings.models import Listing
from assay.apps.prompts.models import AppPrompt
from assay.apps.schemas.models import AppSchema
from assay.apps.tags.models import Tag
from assay.core.database import Database
from assay.core.ids import new_id
from assay.identity.actor import job_actor
from assay.jobs import service as jobs
from assay.jobs.service import NewJob

APP = "voice-rx"
# By the names that ids have in paths: what is of nothing, where ids are not UUIDs.
NOTHING = {
    "app_prompt_id": "999999999",
    "app_schema_id": "999999999",
    "app_run_id": "nothing",
    "tag_id": "999999999",
}


async def make_apps_world(database: Database, user_id: str) -> dict[str, str]:
    """One of everything that belongs to `user_id`, by the names that ids have in paths."""
    mine: dict[str, Any] = {"app_id": APP, "user_id": user_id}
    listing = Listing(id=new_id(), title="Visit", **mine)
    # It has no bytes, so none need to be stored.
    file = File(id=new_id(), original_name="a", size_bytes=0, storage_path="a", user_id=user_id)
    # A type of its own, since somebody may get several worlds.
    version: dict[str, Any] = {"prompt_type": new_id().hex, "name": "Old", "version": 1, **mine}
    prompt = AppPrompt(prompt="Write it down.", **version)
    schema = AppSchema(schema_data={"type": "object"}, **version)
    evaluator = Evaluator(id=new_id(), name="Completeness", prompt="How complete?", **mine)
    run = EvaluationRun(command="evaluate-threads", status="completed", user_id=user_id)
    tag = Tag(name=new_id().hex, count=1, **mine)
    chat = ChatSession(id=new_id(), **mine)
    said: dict[str, Any] = {"role": "user", "message_metadata": {"tags": [tag.name]}}
    message = ChatMessage(id=new_id(), session_id=chat.id, user_id=user_id, **said)
    done: dict[str, Any] = {"source_type": "run", "status": "success", "timestamp": 1}
    entry = HistoryEntry(id=new_id(), **done, **mine)
    async with database.session() as session:
        session.add_all([tag, chat, entry])
        session.add_all([listing, file, prompt, schema, evaluator, run])
        await session.flush()
        session.add(message)
        thread_id = f"thread-{run.id}"
        session.add_all(
            [
                ThreadEvaluation(run_id=run.id, thread_id=thread_id, result={}),
                AdversarialEvaluation(run_id=run.id, result={}),
                ApiLog(run_id=run.id, provider="p", model="m", method="judge", prompt="?"),
            ]
        )
        [job] = await jobs.enqueue(session, job_actor(user_id), NewJob("nothing", {}))
    return {
        "listing_id": str(listing.id),
        "file_id": str(file.id),
        "app_prompt_id": str(prompt.id),
        "app_schema_id": str(schema.id),
        "evaluator_id": str(evaluator.id),
        "app_run_id": run.id,
        "thread_id": thread_id,
        "job_id": str(job.id),
        "chat_session_id": str(chat.id),
        "message_id": str(message.id),
        "tag_id": str(tag.id),
        "tag": tag.name,
        "history_id": str(entry.id),
    }
