import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal(spawn: Run, dsn: str, number: signal.Signals) -> None:
    with spawn("up", "--port", "0") as command:
        url = command.wait_for(r"ready at (http://127\.0\.0\.1:\d+)")[1]
        with urlopen(f"{url}/health", timeout=10) as answer:
            assert json.load(answer) == {"status": "ok"}
        ended = command.end(number)
    assert ended.code == 0
    assert "Traceback" not in ended.err


def test_a_port_in_use_is_a_clear_error(assay: Run, dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for command in (["up"], ["demo"]):
            ended = assay(*command, "--port", port)
            assert ended.code == 2
            assert f"Port {port} on 127.0.0.1 cannot be used: it is in use by" in ended.err


def test_it_is_not_opened_to_others_without_a_secret_and_an_admin(assay: Run) -> None:
    ended = assay("up", "--host", "0.0.0.0", "--port", "0")
    assert ended.code == 2
    assert "HOST is 0.0.0.0, so others can reach this server" in ended.err
    assert "set SECRET_KEY to 32 or more random characters" in ended.err
    assert "assay users create --role admin" in ended.err


def test_the_embedded_database_ends_with_the_server(spawn: Run, tmp_path: Path) -> None:
    with spawn("up", "--port", "0", "--workers", "0") as command:
        command.wait_for("ready at")
        assert (tmp_path / "home" / "postgresql" / "postmaster.pid").exists()
        ended = command.end(signal.SIGTERM)
    assert ended.code == 0
    assert not (tmp_path / "home" / "postgresql" / "postmaster.pid").exists()
