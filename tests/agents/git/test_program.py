from pathlib import Path

import psutil
import pytest

from assay.agents.git.errors import GitFailed, GitTimeout
from assay.agents.git.program import Git
from assay.core.errors import SetupError


@pytest.fixture
def program(tmp_path: Path) -> Git:
    return Git(tmp_path / "empty")


async def test_time_limit_ends_the_group(program: Git) -> None:
    slow = [("alias.slow", "!sleep 600")]
    with pytest.raises(GitTimeout, match=r"`git slow` was stopped after 0\.5 seconds"):
        await program.run("slow", settings=slow, seconds=0.5)
    left = [it for it in psutil.Process().children(recursive=True) if "600" in it.cmdline()]
    assert not left


async def test_other_protocols_are_off(program: Git, tmp_path: Path) -> None:
    pwned = tmp_path / "pwned"
    for url in (
        f"ext::touch {pwned}",
        f"file://{tmp_path}",
        "git://127.0.0.1/x",
        "ssh://127.0.0.1/x",
    ):
        output = await program.run("ls-remote", "--", url)
        assert "not allowed" in output.stderr
    assert not pwned.exists()


async def test_much_output_is_bounded(program: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.agents.git.program.MAX_OUTPUT", 100_000)
    output = await program.run("many", settings=[("alias.many", "!seq 1000000")])
    assert output.exit_code == 0
    assert len(output.stdout) < 200_000


async def test_environment_of_the_server_stays_here(
    program: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("GIT_SSH_COMMAND", "evil")
    output = await program.run("env", settings=[("alias.env", "!env")])
    assert "PATH=" in output.text
    assert "sk-secret" not in output.text
    assert "evil" not in output.text


async def test_failure_says_what_git_said(program: Git, tmp_path: Path) -> None:
    output = await program.run("rev-parse", "--verify", "HEAD", at=tmp_path)
    with pytest.raises(GitFailed, match="`git rev-parse` failed: fatal: not a git repository"):
        output.checked()


async def test_no_git(program: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="install it"):
        await program.run("version")
