"""Small factories: each makes a row over HTTP with sensible fields, and what it stands in."""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from assay.core.database import Database
from assay.playground.access import project_of_dataset
from assay.playground.runs.models import EvalRun

Row = dict[str, Any]


class Factory:
    """Makes what a test needs; every method takes fields that matter to the test."""

    def __init__(self, client: httpx2.AsyncClient, database: Database) -> None:
        self._client = client
        self._database = database

    async def call(
        self, method: str, path: str, status: int, json: Any = None, **query: Any
    ) -> Any:
        """Ask `/api/v1` + path, insist on the status, and give the body."""
        body = {} if json is None else {"json": json}
        response = await self._client.request(method, f"/api/v1{path}", params=query, **body)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        return response.json() if response.content else None

    async def pages(self, path: str, limit: int, **query: Any) -> list[list[Row]]:
        """All pages of a list, found by their `Link` headers."""
        pages = []
        url: str | None = str(httpx2.URL(f"/api/v1{path}", params={"limit": limit, **query}))
        while url:
            response = await self._client.get(url)
            assert response.status_code == 200, response.text
            pages.append(response.json())
            url = response.links.get("next", {}).get("url")
        return pages

    async def project(self, **fields: Any) -> Row:
        made: Row = await self.call("POST", "/projects", 201, {"name": "Support", **fields})
        return made

    async def use_case(self, project_id: str | None = None, **fields: Any) -> Row:
        project_id = project_id or (await self.project())["id"]
        path = f"/projects/{project_id}/use-cases"
        made: Row = await self.call("POST", path, 201, {"name": "Sort messages", **fields})
        return made

    async def prompt(self, use_case_id: str | None = None, **fields: Any) -> Row:
        use_case_id = use_case_id or (await self.use_case())["id"]
        path = f"/use-cases/{use_case_id}/prompts"
        made: Row = await self.call("POST", path, 201, {"name": "Intent", **fields})
        return made

    async def version(self, prompt_id: str | None = None, **fields: Any) -> Row:
        prompt_id = prompt_id or (await self.prompt())["id"]
        body = fields or {"type": "text", "template_text": "Sort this: {{ message }}"}
        made: Row = await self.call("POST", f"/prompts/{prompt_id}/versions", 201, body)
        return made

    async def dataset(self, use_case_id: str | None = None, **fields: Any) -> Row:
        use_case_id = use_case_id or (await self.use_case())["id"]
        path = f"/use-cases/{use_case_id}/datasets"
        made: Row = await self.call("POST", path, 201, {"name": "March", **fields})
        return made

    async def items(self, dataset_id: str, count: int) -> list[Row]:
        items = [{"input": {"message": f"message {number}"}} for number in range(count)]
        path = f"/datasets/{dataset_id}/items"
        made: list[Row] = await self.call("POST", path, 201, {"items": items})
        return made

    async def run(self, version_id: str, dataset_id: str) -> UUID:
        """A run that nobody works on."""
        async with self._database.session() as session:
            run = EvalRun(
                project_id=await session.scalar(project_of_dataset(UUID(dataset_id))),
                prompt_version_id=UUID(version_id),
                dataset_id=UUID(dataset_id),
                dataset_version=0,
                models=[],
            )
            session.add(run)
            await session.flush()
            return run.id


@pytest.fixture
def make(client: httpx2.AsyncClient, database: Database) -> Factory:
    """Factories of this room."""
    return Factory(client, database)
