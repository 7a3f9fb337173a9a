import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.cli.checks import LITTLE_DISK, NO_DISK, Status, check_disk
from assay.testing.scripted_process import run_scripted_server

Run = Callable[..., Any]


def findings(printed: str) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(printed)}


@pytest.fixture(autouse=True)
def _free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "0")


def test_a_sound_set_up(assay: Run, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret-word")
    ended = assay("doctor", "--json")
    assert ended.code == 0
    found = findings(ended.out)
    for name in (
        "settings",
        "home",
        "database",
        "version",
        "revision",
        "storage",
        "provider anthropic",
    ):
        assert found[name]["status"] == "ok", found[name]
    assert "secret-word" not in ended.out + ended.err

    ended = assay("doctor")
    assert ended.code == 0
    assert "a key is set (not tried)" in ended.out
    assert "secret-word" not in ended.out


def test_a_wrong_setting_is_all_that_is_said(assay: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://x")
    ended = assay("doctor", "--json")
    assert ended.code == 1
    [finding] = json.loads(ended.out)
    assert finding["status"] == "fail"
    assert "DATABASE_URL" in finding["detail"]


def test_every_fault_is_found_at_once(
    assay: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://x:secret-word@127.0.0.1:1/x")
    monkeypatch.setenv("OPENAI_RPM", "many")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("API_PORT", str(listener.getsockname()[1]))
        ended = assay("doctor", "--json")
    assert ended.code == 1
    failed = {name for name, f in findings(ended.out).items() if f["status"] == "fail"}
    assert failed == {"home", "database", "storage", "provider openai", "port"}
    assert "secret-word" not in ended.out


def test_a_database_behind_fails_with_the_remedy(assay: Run, empty_dsn: str) -> None:
    ended = assay("doctor", "--json")
    assert ended.code == 1
    revision = findings(ended.out)["revision"]
    assert (revision["status"], revision["remedy"]) == ("fail", "Run assay migrate.")


def test_local_servers(assay: Run, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with run_scripted_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("VLLM_BASE_URL", "http://127.0.0.1:1/v1")
        found = findings(assay("doctor", "--json").out)
    assert found["provider openai"]["detail"] == "answers on this machine with scripted"
    assert found["provider vllm"]["status"] == "warn"
    assert "VLLM_BASE_URL" in found["provider vllm"]["remedy"]


@pytest.mark.parametrize(
    ("free", "status"),
    [(NO_DISK - 1, Status.fail), (NO_DISK, Status.warn), (LITTLE_DISK, Status.ok)],
)
def test_little_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, status: Status
) -> None:
    usage = SimpleNamespace(total=2 * free, used=free, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert check_disk(tmp_path / "not" / "there" / "yet").status is status
