"""A chat of an app of its own."""

import httpx2
import pytest
from tests.apps.talking import Chat, new_app


@pytest.fixture
def chat(client: httpx2.AsyncClient) -> Chat:
    """An app that no other test knows."""
    return Chat(client, new_app())
