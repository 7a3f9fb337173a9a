"""Files into datasets and out again, over HTTP."""

from typing import Any

import httpx2
from tests.playground.conftest import Factory, Row

CSV = "text/csv"
JSONL = "application/x-ndjson"
NAMES = ("input", "expected_output", "assertions", "metadata")


async def upload(
    client: httpx2.AsyncClient,
    dataset: Row,
    content: Any,
    kind: str = CSV,
    *,
    status: int = 201,
    **query: Any,
) -> Row:
    """Import a file, insist on the status, and give the report or the problem."""
    path = f"/api/v1/datasets/{dataset['id']}/import"
    content = content.encode() if isinstance(content, str) else content
    headers = {"Content-Type": kind}
    response = await client.post(path, content=content, headers=headers, params=query)
    assert response.status_code == status, response.text
    body: Row = response.json()
    return body


async def download(client: httpx2.AsyncClient, dataset: Row, **query: Any) -> httpx2.Response:
    """Export a dataset."""
    response = await client.get(f"/api/v1/datasets/{dataset['id']}/export", params=query)
    assert response.status_code == 200, response.text
    return response


async def items(make: Factory, dataset: Row) -> list[Row]:
    """What the dataset holds, as far as files say it."""
    pages = await make.pages(f"/datasets/{dataset['id']}/items", limit=200)
    return [{name: item[name] for name in NAMES} for page in pages for item in page]


def item(variables: Any, expected: Any = None, assertions: Any = None, metadata: Any = None) -> Row:
    """An item as `items` gives it."""
    return dict(zip(NAMES, (variables, expected, assertions, metadata), strict=True))
