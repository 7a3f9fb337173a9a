from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assay.agents.sandboxes.providers.types import Command

Use = Callable[..., Awaitable[str]]
Put = Callable[..., Awaitable[None]]

CODE = "def one():\n    return 1\n\n\ndef two():\n    return 1\n"


async def nothing_else(sandbox: Any) -> None:
    ran = await sandbox.run(Command(("git", "status", "--porcelain")))
    assert ran.output == b""
    ran = await sandbox.run(Command(("sh", "-c", "ls /work; ls /out.txt /etc/out.txt /b")))
    assert ran.output.split()[:2] == [b"code.py", b"other.txt"]
    assert ran.output.count(b"No such file") == 3


@pytest.fixture
async def folder(put: Put, sandbox: Any) -> Any:
    await put({"code.py": CODE, "other.txt": "a\nb\nc\n"})
    return sandbox.folder


async def test_files_are_written_with_their_folders(use: Use, folder: Any) -> None:
    text = await use("write_file", path="new/deep/file.txt", content="one\ntwo\n")
    assert text == "wrote new/deep/file.txt: 2 lines"
    assert (folder / "new/deep/file.txt").read_text() == "one\ntwo\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("path", ["../out.txt", "/etc/passwd", "a/../../b", ".", ".git/config"])
async def test_nothing_is_written_elsewhere(use: Use, path: str, sandbox: Any) -> None:
    assert (await use("write_file", path=path, content="x")).startswith("Error: ")
    await nothing_else(sandbox)


async def test_a_text_is_replaced(use: Use, folder: Any) -> None:
    await use(
        "edit_file", path="code.py", old="def two():\n    return 1", new="def two():\n    return 2"
    )
    assert (folder / "code.py").read_text() == CODE.replace(
        "1\n\n\ndef two():\n    return 1", "1\n\n\ndef two():\n    return 2"
    )
    assert await use(
        "edit_file", path="code.py", old="def ", new="async def ", replace_all=True
    ) == ("changed code.py in 2 places")


async def test_a_text_that_is_there_twice_is_not_replaced(use: Use, folder: Any) -> None:
    text = await use("edit_file", path="code.py", old="return 1", new="return 2")
    assert "there 2 times, at the lines 2, 6;" in text
    assert (folder / "code.py").read_text() == CODE


@pytest.mark.usefixtures("folder")
async def test_a_text_that_is_not_there_gets_the_nearest_lines(use: Use) -> None:
    indented = await use("edit_file", path="code.py", old="def two():\n  return 1", new="x")
    assert "but with other spaces" in indented
    assert "     5\tdef two():\n     6\t    return 1" in indented
    near = await use("edit_file", path="code.py", old="def twoo():\n    return 11", new="x")
    assert "most like it is:\n     5\tdef two():\n     6\t    return 1" in near
    far = await use("edit_file", path="code.py", old="class Elsewhere", new="x")
    assert "nor anything like it" in far


async def test_bytes_and_line_ends_stay_as_they_are(use: Use, put: Put, folder: Any) -> None:
    await put({"latin.txt": b"gr\xfcn\r\nblau\r\nrot\r\n"})
    changed = await use("edit_file", path="latin.txt", old="blau\nrot", new="gelb\nrot")
    assert changed == "changed latin.txt"
    assert (folder / "latin.txt").read_bytes() == b"gr\xfcn\r\ngelb\r\nrot\r\n"


PATCH = """\
--- a/code.py
+++ b/code.py
@@ -1,2 +1,2 @@
 def one():
-    return 1
+    return 10
--- a/other.txt
+++ b/other.txt
@@ -1,3 +1,3 @@
 a
-{old}
+B
 c
--- /dev/null
+++ b/made.txt
@@ -0,0 +1 @@
+made
"""


async def test_a_patch_changes_many_files(use: Use, folder: Any) -> None:
    text = await use("apply_patch", patch=PATCH.format(old="b"))
    assert text == "changed code.py, other.txt, made.txt"
    assert (folder / "other.txt").read_text() == "a\nB\nc\n"
    assert (folder / "made.txt").read_text() == "made\n"


async def test_a_patch_applies_whole_or_not_at_all(use: Use, folder: Any) -> None:
    text = await use("apply_patch", patch=PATCH.format(old="wrong"))
    assert "nothing was changed" in text
    assert "hunk 1 of other.txt (at line 1): its lines are not in the file" in text
    assert "looked for:\na\nwrong\nc" in text
    assert (folder / "code.py").read_text() == CODE
    assert not (folder / "made.txt").exists()


async def test_a_wrong_count_of_lines_in_a_patch_is_forgiven(use: Use, folder: Any) -> None:
    patch = "--- a/other.txt\n+++ b/other.txt\n@@ -1,9 +1,7 @@\n a\n-b\n+B\n c"
    assert await use("apply_patch", patch=patch) == "changed other.txt"
    assert (folder / "other.txt").read_text() == "a\nB\nc\n"


@pytest.mark.usefixtures("folder")
async def test_a_patch_stays_inside(use: Use, sandbox: Any) -> None:
    outside = "--- /dev/null\n+++ b/../out.txt\n@@ -0,0 +1 @@\n+x\n"
    assert "invalid path" in await use("apply_patch", patch=outside)
    await nothing_else(sandbox)
    assert "no unified diff" in await use("apply_patch", patch="*** Begin Patch\n*** End Patch\n")


async def test_a_folder_is_not_written_over(use: Use, folder: Any) -> None:
    (folder / "docs").mkdir()
    assert (await use("write_file", path="docs", content="x")).startswith(
        "Error: /work/docs cannot"
    )
