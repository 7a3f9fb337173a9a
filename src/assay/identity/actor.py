"""The actor of a request, a job or a command, and what an actor may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

LOCAL_USER = "default"


class Role(StrEnum):
    """What a person may do; each may all that those before it may."""

    viewer = "viewer"
    reviewer = "reviewer"
    editor = "editor"
    admin = "admin"

    def covers(self, other: "Role") -> bool:
        """Whether it may all that `other` may."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER: Sequence[Role] = tuple(Role)


class Scope(StrEnum):
    """What an API key may be used for; writing includes reading."""

    playground_read = "playground:read"
    playground_write = "playground:write"
    apps_read = "apps:read"
    apps_write = "apps:write"
    consults_read = "consults:read"
    consults_write = "consults:write"
    agents_read = "agents:read"
    agents_write = "agents:write"
    metrics_read = "metrics:read"
    admin = "admin"

    @property
    def least_role(self) -> Role:
        """The role that a key's owner needs for it to be of use."""
        return _LEAST_ROLE[self]


_LEAST_ROLE = {
    Scope.playground_read: Role.viewer,
    Scope.playground_write: Role.editor,
    Scope.apps_read: Role.viewer,
    Scope.apps_write: Role.editor,
    Scope.consults_read: Role.viewer,
    Scope.consults_write: Role.viewer,
    Scope.agents_read: Role.viewer,
    Scope.agents_write: Role.editor,
    Scope.metrics_read: Role.admin,
    Scope.admin: Role.admin,
}
_INCLUDED = {
    Scope.playground_write: frozenset({Scope.playground_read}),
    Scope.apps_write: frozenset({Scope.apps_read}),
    Scope.consults_write: frozenset({Scope.consults_read}),
    Scope.agents_write: frozenset({Scope.agents_read}),
}


def included(scopes: Sequence[Scope]) -> frozenset[Scope]:
    """The scopes, with those that they include."""
    return frozenset(scopes).union(*(_INCLUDED.get(scope, frozenset()) for scope in scopes))


@dataclass(frozen=True, slots=True)
class Actor:
    """The one on whose behalf something is done; `user_id` is written to what they make.

    Attributes:
        user_id: the user's id as text, or `default` for the one person at this machine.
        role: what they may do.
        scopes: what the API key they came with is for; `None` for a person.
        project_id: the only project that this key is for, if it is for one.
        key_id: the API key they came with.
        session_id: the sign-in they came with.
    """

    user_id: str
    role: Role
    scopes: frozenset[Scope] | None = None
    project_id: UUID | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None

    def may_use(self, scope: Scope) -> bool:
        """Whether a key is for this; a person is not limited by it."""
        return self.scopes is None or scope in self.scopes

    @property
    def own_id(self) -> UUID | None:
        """The id of their row among the users; the one person at this machine has none."""
        return None if self.user_id == LOCAL_USER else UUID(self.user_id)

    @property
    def sees_everything(self) -> bool:
        """Whether no query has to be narrowed for them."""
        return self.role is Role.admin and self.project_id is None


LOCAL_ACTOR = Actor(LOCAL_USER, Role.admin)


def job_actor(user_id: str) -> Actor:
    """The actor of a job that `user_id` caused: what it makes is theirs; it decides nothing."""
    return Actor(user_id, Role.viewer, frozenset())
