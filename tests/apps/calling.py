"""How a front end calls the API: a method, a path below `/api`, and the status it expects."""

from typing import Any

import httpx2

Row = dict[str, Any]


class FrontEnd:
    """Asks `/api` as somebody; each call insists on the status and gives the body."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.headers = httpx2.Headers()

    async def call(
        self, method: str, path: str, status: int = 200, body: Any = None, /, **query: Any
    ) -> Any:
        """The body of the answer, whose headers are then in `headers`."""
        sent = {} if body is None else {"json": body}
        response = await self._client.request(method, f"/api{path}", params=query, **sent)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        self.headers = response.headers
        return response.json()

    async def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        return await self.call("GET", path, status, **query)

    async def listed(self, path: str, /, **query: Any) -> tuple[list[Any], int]:
        """The rows of a list, and how many there are in all."""
        rows = await self.get(path, **query)
        return rows, int(self.headers["X-Total-Count"])

    async def fault(self, method: str, path: str, body: Any = None, /, **query: Any) -> str:
        """The place of the first fault of a request that is refused with 422."""
        problem = await self.call(method, path, 422, body, **query)
        place: str = problem["errors"][0]["place"]
        return place
