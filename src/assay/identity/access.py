"""Who may use a route: each has a guard, or is public; whatever is neither does not start."""

import re
from collections.abc import Iterator
from typing import Annotated, cast

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts

from assay.core.errors import Forbidden
from assay.identity.actor import Actor, Role, Scope


class RoleTooLow(Forbidden):
    """Your role does not allow this."""

    code = "role_too_low"


class ScopeMissing(Forbidden):
    """The API key is not for this."""

    code = "scope_missing"


class PeopleOnly(Forbidden):
    """An API key cannot do this; a person has to sign in."""

    code = "people_only"


class Guard:
    """The dependency of a route that lets in who may use it, and gives the actor.

    Attributes:
        role: what the actor's role has to cover.
        scope: what an API key has to be for; `None` where any key will do.
        people_only: whether keys are refused altogether.
    """

    def __init__(self, role: Role, scope: Scope | None, *, people_only: bool = False) -> None:
        """Let in who has this role and, with a key, this scope."""
        self.role = role
        self.scope = scope
        self.people_only = people_only

    async def __call__(self, request: Request) -> Actor:
        """The actor of this request.

        Raises:
            RoleTooLow, ScopeMissing, PeopleOnly
        """
        actor = cast("Actor", request.state.actor)
        if self.people_only and actor.key_id is not None:
            raise PeopleOnly
        if self.scope is not None and not actor.may_use(self.scope):
            raise ScopeMissing(f"This takes an API key with the scope {self.scope}.")
        if not actor.role.covers(self.role):
            raise RoleTooLow(f"This takes the role {self.role}; yours is {actor.role}.")
        return actor


SignedIn = Annotated[Actor, Depends(Guard(Role.viewer, None))]
Person = Annotated[Actor, Depends(Guard(Role.viewer, None, people_only=True))]
MetricsReader = Annotated[Actor, Depends(Guard(Role.admin, Scope.metrics_read))]
Admin = Annotated[Actor, Depends(Guard(Role.admin, Scope.admin))]


async def _anyone() -> None:
    """Let everybody in."""


public = Depends(_anyone)
"""The dependency of a route that takes no sign-in."""


class UnguardedRoute(RuntimeError):
    """A route has neither a guard nor the mark of a public one."""


def guard_of(route: RouteContext) -> Guard | None:
    """The guard of a route."""
    return next((call for call in _calls(route) if isinstance(call, Guard)), None)


def is_public(route: RouteContext) -> bool:
    """Whether a route is marked as one for everybody."""
    return any(call is _anyone for call in _calls(route))


def _calls(route: RouteContext) -> Iterator[object]:
    def below(dependant: Dependant) -> Iterator[object]:
        for inner in dependant.dependencies:
            yield inner.call
            yield from below(inner)

    dependant = getattr(route, "dependant", None)
    return below(dependant) if isinstance(dependant, Dependant) else iter(())


def public_paths(app: FastAPI) -> re.Pattern[str]:
    """A pattern of all paths that take no sign-in, found from the routes of `app`.

    Raises:
        UnguardedRoute: naming the routes that somebody forgot to guard.
    """
    routes = list(iter_route_contexts(app.routes))
    forgotten = [
        f"{'/'.join(sorted(route.methods or ()))} {route.path}"
        for route in routes
        if guard_of(route) is None and not is_public(route)
    ]
    if forgotten:
        raise UnguardedRoute(
            f"Nobody guards {', '.join(forgotten)}: give each a Guard of identity.access, or "
            "mark it as public."
        )
    patterns = [
        re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(route.path or ""))
        for route in routes
        if is_public(route)
    ]
    return re.compile("|".join(patterns) or r"(?!)")
