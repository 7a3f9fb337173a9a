import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def test_without_the_extra_it_says_how_to_get_it(
    assay: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    ended = assay("mcp")
    assert ended.code == 2
    assert "pip install 'assay[mcp]'" in ended.err


def test_a_wrong_address_is_named(assay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_URL", "assay.example.com")
    ended = assay("mcp")
    assert ended.code == 2
    assert "'assay.example.com' is no address of a server" in ended.err


def test_a_port_in_use_is_named(assay: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = assay("mcp", "--http", "--port", taken.getsockname()[1])
    assert ended.code == 2
    assert "choose another --port" in ended.err
