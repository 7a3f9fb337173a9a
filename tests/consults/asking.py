"""How a program or a reviewer calls the API of requests."""

from typing import Any

import httpx2
from tests.identity.people import Person

Row = dict[str, Any]
YES, NO = {"approved": True}, {"approved": False}


class Asker:
    """Somebody at the API; each call insists on the status and gives the body."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.client = person.client
        self.headers = httpx2.Headers()

    @property
    def id(self) -> str:
        return str(self.person.id)

    async def call(
        self, method: str, path: str, status: int = 200, body: Any = None, **extra: Any
    ) -> Any:
        sent = {} if body is None else {"json": body}
        response = await self.client.request(method, f"/api/v1{path}", **sent, **extra)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        self.headers = response.headers
        return response.json() if response.content else None

    async def ask(self, status: int = 201, /, **fields: Any) -> Row:
        """Ask for an approval, unless the fields say otherwise."""
        body = {"title": "Refund?", "kind": "approve", **fields}
        made: Row = await self.call("POST", "/requests", status, body)
        return made

    async def read(self, request: Row, status: int = 200, **query: Any) -> Row:
        row: Row = await self.call("GET", f"/requests/{request['id']}", status, params=query)
        return row

    async def answer(self, request: Row, value: Any, status: int = 200, **fields: Any) -> Row:
        path = f"/requests/{request['id']}/respond"
        row: Row = await self.call("POST", path, status, {"value": value, **fields})
        return row

    async def do(self, request: Row, what: str, status: int = 200, **body: Any) -> Row:
        """Cancel, assign, escalate."""
        row: Row = await self.call("POST", f"/requests/{request['id']}/{what}", status, body)
        return row

    async def listed(self, **query: Any) -> list[str]:
        rows: list[Row] = await self.call("GET", "/requests", params=query)
        return [row["id"] for row in rows]

    async def events(self, request: Row) -> list[Row]:
        rows: list[Row] = await self.call("GET", f"/requests/{request['id']}/events")
        return rows


def places(problem: Row) -> list[str]:
    """Where the faults of a problem document are."""
    return [fault["place"] for fault in problem["errors"]]
