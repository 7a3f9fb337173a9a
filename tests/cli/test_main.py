import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay import __version__
from assay.cli.main import COMMANDS, load_command

Run = Callable[..., Any]

HEAVY = ("sqlalchemy", "fastapi", "pydantic", "aiohttp", "uvicorn", "asyncpg", "yaml", "asyncio")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_what_needs_no_command_imports_none_of_the_heavy_libraries(arguments: list[str]) -> None:
    code = (
        "import sys; from assay.cli.main import main\n"
        f"sys.argv = ['assay', *{arguments!r}]\n"
        "try: main()\n"
        f"finally: print('LOADED', sorted(set({HEAVY!r}) & sys.modules.keys()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "LOADED []" in ended.stdout


def test_help_lists_every_command(assay: Run) -> None:
    ended = assay("--help")
    assert ended.code == 0
    for name, summary in COMMANDS.items():
        assert re.search(rf"{name} +{re.escape(summary)}", ended.out)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_the_list_says_and_has_examples(name: str, assay: Run) -> None:
    command = load_command(name)
    assert (command.help or "").split("\n")[0] == COMMANDS[name]
    ended = assay(name, "--help")
    assert ended.code == 0
    assert f"Usage: assay {name}" in ended.out
    assert "Examples" in ended.out


@pytest.mark.parametrize("group", ["task", "datasets", "users", "keys", "secrets"])
def test_every_command_of_a_group_is_described_and_has_examples(group: str, assay: Run) -> None:
    commands = load_command(group).commands
    assert commands
    for name in commands:
        ended = assay(group, name, "--help")
        assert ended.code == 0
        assert f"Usage: assay {group} {name}" in ended.out
        assert f"assay {group} {name}" in ended.out.partition("Examples")[2]


def test_version(assay: Run) -> None:
    ended = assay("--version")
    assert (ended.code, ended.out) == (0, f"assay {__version__}\n")


def test_no_command_at_all_is_help(assay: Run) -> None:
    assert "Commands" in assay().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evil"], "Did you mean 'eval'?"),
        (["up", "--prot", "1"], "No such option"),
        (["up", "--port", "x"], "valid integer"),
        (["up", "--workers", "2"], "less than or equal to 1"),
        (["eval"], "Missing argument"),
    ],
)
def test_a_wrong_command_line_ends_with_2(assay: Run, arguments: list[str], message: str) -> None:
    ended = assay(*arguments)
    assert ended.code == 2
    assert message in ended.err


@pytest.mark.parametrize(
    "command",
    [["up"], ["worker"], ["migrate"], ["demo"], ["eval", "x.yaml"], ["users", "list"]],
)
def test_a_wrong_setting_is_named(
    assay: Run, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_PORT", "many")
    ended = assay(*command)
    assert ended.code == 2
    assert "API_PORT: Input should be a valid integer" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "command",
    [
        ["up", "--port", "0"],
        ["worker"],
        ["migrate"],
        ["demo", "--no-serve"],
        ["eval", "file"],
        ["users", "list"],
        ["keys", "list"],
    ],
)
@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "DATABASE_URL",
            "postgresql://someone:secret-word@127.0.0.1:1/assay",
            "The database cannot be reached",
        ),
        ("ASSAY_HOME", "file/home", "cannot be written (Not a directory)"),
    ],
)
def test_a_database_that_cannot_be_had_is_a_clear_error(
    assay: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: list[str],
    variable: str,
    value: str,
    message: str,
) -> None:
    (tmp_path / "file").write_text("{prompts: [a], providers: [echo], tests: [{}]}")
    monkeypatch.setenv(variable, value)
    ended = assay(*command)
    assert ended.code == 2
    assert message in ended.err
    assert "secret-word" not in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", [["up", "--port", "0"], ["worker"], ["demo", "--no-serve"]])
def test_a_database_that_is_not_migrated_is_named(
    assay: Run, empty_dsn: str, command: list[str]
) -> None:
    ended = assay(*command)
    assert ended.code == 2
    assert "Run `assay migrate` once" in ended.err
