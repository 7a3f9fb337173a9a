# Written by `make client` from assay/client/asynchronous/projects.py: change that.

"""Projects and their use cases."""

from collections.abc import Iterator
from typing import Unpack

from assay.client.options import Changes
from assay.client.synchronous.resource import Resource
from assay.client.wire import Call, Id, at, given, patch, post
from assay.playground.projects.schemas import ProjectRead, UseCaseRead


class Projects(Resource):
    """`client.projects`."""

    def list(self, *, limit: int | None = None) -> Iterator[ProjectRead]:
        """All projects, newest first; `limit` is how many a request brings."""
        return self._transport.pages(ProjectRead, at("projects"), limit=limit)

    def create(self, name: str, *, description: str | None = None) -> ProjectRead:
        """Make a project."""
        body = given(name=name, description=description)
        return self._transport.read(ProjectRead, post(at("projects"), body))

    def get(self, project_id: Id) -> ProjectRead:
        """Read a project."""
        return self._transport.read(ProjectRead, Call("GET", at("projects", project_id)))

    def update(self, project_id: Id, **changes: Unpack[Changes]) -> ProjectRead:
        """Change what is said; the rest stays as it is."""
        return self._transport.read(ProjectRead, patch(at("projects", project_id), changes))

    def delete(self, project_id: Id) -> None:
        """Delete a project with everything in it."""
        self._transport.send(Call("DELETE", at("projects", project_id)))


class UseCases(Resource):
    """`client.use_cases`."""

    def list(self, project_id: Id, *, limit: int | None = None) -> Iterator[UseCaseRead]:
        """All use cases of a project, newest first; `limit` is how many a request brings."""
        path = at("projects", project_id, "use-cases")
        return self._transport.pages(UseCaseRead, path, limit=limit)

    def create(self, project_id: Id, name: str, *, description: str | None = None) -> UseCaseRead:
        """Make a use case in a project."""
        body = given(name=name, description=description)
        call = post(at("projects", project_id, "use-cases"), body)
        return self._transport.read(UseCaseRead, call)

    def get(self, use_case_id: Id) -> UseCaseRead:
        """Read a use case."""
        return self._transport.read(UseCaseRead, Call("GET", at("use-cases", use_case_id)))

    def update(self, use_case_id: Id, **changes: Unpack[Changes]) -> UseCaseRead:
        """Change what is said; the rest stays as it is."""
        return self._transport.read(UseCaseRead, patch(at("use-cases", use_case_id), changes))

    def delete(self, use_case_id: Id) -> None:
        """Delete a use case with its prompts, datasets and runs."""
        self._transport.send(Call("DELETE", at("use-cases", use_case_id)))
