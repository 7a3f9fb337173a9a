"""How the client comes with the package."""

import subprocess
import sys
from pathlib import Path

import pytest

import assay
from assay import client

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], text=True, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_gives_it_when_it_is_wanted() -> None:
    assert assay.Client is client.Client
    assert assay.AsyncClient is client.AsyncClient
    with pytest.raises(AttributeError, match="nothing"):
        assay.nothing  # noqa: B018  # looking is the test
    loaded = run("-c", "import sys, assay; print(*sys.modules)").split()
    assert not {"assay.client", "httpx2", "pydantic"} & set(loaded)


def test_the_client_for_threads_is_what_the_script_makes() -> None:
    run(str(ROOT / "scripts/client.py"), "--check")


def test_both_have_the_same_calls() -> None:
    here, there = client.Client(), client.AsyncClient()
    for name, resource in vars(here).items():
        other = getattr(there, name)
        ours = {call for call in dir(resource) if not call.startswith("_")}
        theirs = {call for call in dir(other) if not call.startswith("_")}
        if not isinstance(resource, str):
            assert ours == {{"aclose": "close"}.get(call, call) for call in theirs}, name
    here.close()
