"""The actor of a request, a job or a command."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends


@dataclass(frozen=True, slots=True)
class Actor:
    """The one on whose behalf something is done; `user_id` is written to what they make."""

    user_id: str = "default"


LOCAL_ACTOR = Actor()


def current_actor() -> Actor:
    """The actor of this request: the one person at this machine, as user `default`."""
    return LOCAL_ACTOR


CurrentActor = Annotated[Actor, Depends(current_actor)]
