"""Counts of a diff, held against those of git."""

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.agents.git.repositories import git

from assay.cli.tasks.diffstat import FileChange, diffstat

LINES = "|a|a\fb\u2028c|-- a/x|++ b/x|@@ -1 +1 @@|diff --git a/x b/x|\\ No newline|rename to y"
LINE = st.sampled_from(LINES.split("|"))
TEXT = st.lists(LINE, max_size=12).flatmap(
    lambda lines: st.sampled_from(["\n".join(lines), "\n".join([*lines, ""])])
)
NAME = st.sampled_from(["x", "a b", "x b/y", "deep/x"])
FILES = st.dictionaries(NAME, TEXT, max_size=3)


@settings(max_examples=25, deadline=None)
@given(before=FILES, after=FILES)
@example(before={}, after={"x b/y": ""})
def test_it_counts_as_git_does(before: dict[str, str], after: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        git("init", "-q", at=at)
        for files in (before, after):
            git("rm", "-rfq", "--ignore-unmatch", ".", at=at)
            for name, content in files.items():
                (at / name).parent.mkdir(parents=True, exist_ok=True)
                (at / name).write_text(content)
            git("add", "--all", at=at)
            git("commit", "-q", "--allow-empty", "-m", "x", at=at)
        diff = git("diff", "--no-renames", "HEAD~", "HEAD", at=at)
        counts = git("diff", "--no-renames", "--numstat", "-z", "HEAD~", "HEAD", at=at)
    expected = [
        FileChange(path, int(added), int(removed))
        for entry in counts.split("\0")
        if entry
        for added, removed, path in [entry.split("\t", 2)]
    ]
    assert diffstat(diff) == expected


def test_binary_files_and_renames() -> None:
    diff = (
        "diff --git a/logo.png b/logo.png\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIc\n\n"
        "diff --git a/old b/new\nsimilarity index 100%\nrename from old\nrename to new\n"
    )
    assert diffstat(diff) == [FileChange("logo.png", binary=True), FileChange("new")]


def test_a_diff_that_was_cut_is_counted_as_far_as_it_goes() -> None:
    diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n-a\n+b\n"
    assert diffstat(diff) == [FileChange("x", 1, 1)]
    assert diffstat("") == []
