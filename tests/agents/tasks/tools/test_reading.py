from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assay.agents.sandboxes.providers.types import Command

Use = Callable[..., Awaitable[str]]
Put = Callable[..., Awaitable[None]]


@pytest.fixture
async def tree(put: Put, sandbox: Any) -> Any:
    await put(
        {
            ".gitignore": "*.log\n",
            "src/main.py": "def main():\n    return 41\n\n\nmain()\n",
            "src/other.txt": "Main street\n",
            "logo.bin": b"\x89PNG\x00\x01",
            "deleted.py": "x = 1\n",
        }
    )
    (sandbox.folder / "deleted.py").unlink()
    (sandbox.folder / "noise.log").write_text("main\n")
    (sandbox.folder / "new with space.py").write_text("main = 1\n")
    return sandbox.folder


@pytest.mark.usefixtures("tree")
async def test_files_are_listed_without_what_is_ignored_or_gone(use: Use) -> None:
    listed = await use("list_files")
    assert sorted(listed.splitlines()) == [
        ".gitignore",
        "logo.bin",
        "new with space.py",
        "src/main.py",
        "src/other.txt",
    ]
    assert await use("list_files", path="src", pattern="*.py") == "src/main.py"
    assert "there are no files that match *.rs" in await use("list_files", pattern="*.rs")
    assert "outside of the repository" in await use("list_files", path="/etc")


async def test_many_files_are_counted_by_their_folders(use: Use, tree: Any) -> None:
    for number in range(500):
        (tree / "src" / f"file{number}.txt").write_text("")
    listed = await use("list_files")
    assert listed.splitlines() == [
        "505 files, too many to name; the folders and their numbers of files:",
        "./ 3",
        "src/ 502",
    ]


@pytest.mark.usefixtures("tree")
async def test_a_file_is_read_with_the_numbers_of_its_lines(use: Use) -> None:
    assert await use("read_file", path="src/main.py", lines=2) == (
        "     1\tdef main():\n     2\t    return 41\n[goes on to line 5; read on with first_line=3]"
    )
    assert await use("read_file", path="/work/src/main.py", first_line=5) == "     5\tmain()"
    assert "has 5 lines" in await use("read_file", path="src/main.py", first_line=9)
    assert await use("read_file", path="logo.bin") == "logo.bin is a binary file of 6 bytes"


async def test_long_lines_and_files_are_bounded(use: Use, tree: Any) -> None:
    (tree / "long.txt").write_text("y" * 100_000 + "\n" + ("z" * 400 + "\n") * 1000)
    text = await use("read_file", path="long.txt", lines=2000)
    assert "[... 99500 characters left out]" in text
    assert len(text) < 52_000
    assert "[goes on to line 1,001; read on with first_line=" in text


@pytest.mark.usefixtures("tree")
async def test_what_is_not_there_says_what_is(use: Use) -> None:
    assert await use("read_file", path="main.py") == (
        "Error: there is no file main.py; did you mean src/main.py?"
    )
    assert "src is a folder" in await use("read_file", path="src")
    assert "outside of the repository" in await use("read_file", path="src/../../etc/passwd")


@pytest.mark.usefixtures("tree")
async def test_text_is_found_with_its_place(use: Use) -> None:
    assert (await use("search", pattern=r"return \d+")).splitlines() == [
        "src/main.py",
        "2:    return 41",
    ]
    assert await use("search", pattern="main()", path="src", literal=True) == (
        "src/main.py\n1:def main():\n5:main()"
    )
    insensitive = await use("search", pattern="^main", ignore_case=True, path="*.txt")
    assert insensitive == "src/other.txt\n1:Main street"
    around = await use("search", pattern="41", context=1)
    assert around == "src/main.py\n1-def main():\n2:    return 41\n3-"
    assert await use("search", pattern="nowhere") == "nothing in . matches nowhere"
    assert "the search failed" in await use("search", pattern="(")


async def test_what_is_found_is_bounded(use: Use, tree: Any) -> None:
    for number in range(30):
        (tree / f"many{number}.txt").write_text("needle in here\n" * 200)
    text = await use("search", pattern="needle")
    assert len(text) < 17_000
    assert "more lines are not shown" in text


async def test_it_works_without_a_repository(use: Use, tree: Any, sandbox: Any) -> None:
    await sandbox.run(Command(("rm", "-rf", ".git")))
    assert "src/main.py" in (await use("list_files")).splitlines()
    assert await use("list_files", pattern="main.*") == "src/main.py"
    assert "2:    return 41" in await use("search", pattern="return 41")


async def test_only_line_feeds_end_lines(use: Use, put: Put) -> None:
    await put({"odd.txt": "one\x0cpage\r\ntwo\u2028still two\nthree"})
    assert await use("read_file", path="odd.txt", first_line=2) == (
        "     2\ttwo\u2028still two\n     3\tthree"
    )
