"""The feed over HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from assay.core.errors import FieldFault, Invalid
from assay.core.problems import problems
from assay.events.feed import EventFeed
from assay.events.models import Topic
from assay.events.stream import EventStream, Reader

LAST_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader asks for: topics, and single things of a topic by their ids; all if empty."""

    topics: frozenset[Topic] = frozenset()
    subjects: frozenset[tuple[Topic, str]] = frozenset()

    def takes(self, topic: Topic, subject: str | None) -> bool:
        """Whether an event about this is wanted."""
        if topic in self.topics or not (self.topics or self.subjects):
            return True
        return subject is not None and (topic, subject) in self.subjects


def read_topics(text: str) -> Wanted:
    """Read `runs,prompts` or `runs:ID`.

    Raises:
        Invalid: with what is wrong, and what can be asked for.
    """
    topics, subjects, faults = set[Topic](), set[tuple[Topic, str]](), list[FieldFault]()
    for part in filter(None, map(str.strip, text.split(","))):
        name, colon, subject = part.partition(":")
        try:
            if colon:
                subjects.add((Topic(name), str(UUID(subject))))
            else:
                topics.add(Topic(name))
        except ValueError:
            known = ", ".join(Topic)
            message = f"`{part}` is neither a topic ({known}) nor a topic with an id (runs:ID)"
            faults.append(FieldFault("query.topics", message))
    if faults:
        raise Invalid("These topics cannot be read", errors=faults)
    return Wanted(frozenset(topics), frozenset(subjects))


def feed_router(reader: Callable[..., Any], dependencies: Sequence[Any]) -> APIRouter:
    """The endpoint of the feed, for readers as other parts know them.

    Args:
        reader: a dependency that gives a function from `Wanted` to a `Reader`.
        dependencies: what guards the endpoint.
    """
    router = APIRouter(tags=["events"], dependencies=list(dependencies))

    @router.get(
        "/sse",
        response_class=Response,
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **problems(Invalid),
        },
    )
    async def stream_events(
        request: Request,
        make_reader: Annotated[Callable[[Wanted], Reader], reader],
        topics: Annotated[
            str,
            Query(
                description="Topics with commas between them, or single things as `runs:ID`; "
                "without it, all",
                examples=["runs,prompts"],
            ),
        ] = "",
        last_event_id: Annotated[
            int | None,
            Header(ge=0, le=LAST_POSITION, description="Go on behind this event, without a gap"),
        ] = None,
    ) -> EventStream:
        """Follow what changes (server-sent events), as far as you may see it."""
        state = request.app.state
        feed = cast("EventFeed", state.feed)
        return EventStream(feed, state.database, make_reader(read_topics(topics)), last_event_id)

    return router
