"""A chat as a front end would make it."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx2

SESSIONS, MESSAGES, TAGS = "/api/chat/sessions", "/api/chat/messages", "/api/tags"


class Chat:
    """One app of its own, with what a test needs of it."""

    def __init__(self, client: httpx2.AsyncClient, app_id: str) -> None:
        self.client = client
        self.app_id = app_id

    async def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        response = await self.client.request(method, path, **options)
        assert response.status_code == status, response.text
        return response.json()

    async def session(self, **fields: Any) -> Any:
        return await self.call("POST", SESSIONS, 201, json={"app_id": self.app_id, **fields})

    async def message(
        self, session_id: str, tags: Sequence[str] | None = None, **fields: Any
    ) -> Any:
        metadata = None if tags is None else {"tags": list(tags)}
        body = {"session_id": session_id, "role": "user", "metadata": metadata, **fields}
        return await self.call("POST", MESSAGES, 201, json=body)

    async def counts(self) -> dict[str, int]:
        """How often each tag is used, by the registry."""
        tags = await self.call("GET", TAGS, params={"app_id": self.app_id})
        return {tag["name"]: tag["count"] for tag in tags}

    async def tag(self, name: str) -> Any:
        tags = await self.call("GET", TAGS, params={"app_id": self.app_id, "q": name})
        return next(tag for tag in tags if tag["name"] == name)

    async def tags_of(self, message_id: str) -> list[str]:
        message = await self.call("GET", f"{MESSAGES}/{message_id}")
        tags: list[str] = message["metadata"]["tags"]
        return tags


def new_app() -> str:
    """An app that no other test knows."""
    return f"app-{uuid4().hex[:12]}"
