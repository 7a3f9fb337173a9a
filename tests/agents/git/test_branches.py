import subprocess
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.agents.git.branches import branch_name, check_branch
from assay.agents.git.errors import BranchInvalid
from assay.core.ids import new_id


def git_takes(name: str) -> bool:
    ran = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)
    return ran.returncode == 0


@given(st.uuids(), st.text(max_size=500))
def test_every_title_gives_a_branch(task_id: UUID, title: str) -> None:
    name = branch_name(task_id, title)
    assert name.startswith(f"assay/{task_id.hex[-8:]}-")
    assert len(name) < 70
    assert check_branch(name) == name
    assert not name.endswith("-")
    assert git_takes(name)


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Fix the Café's menu!", "fix-the-cafe-s-menu"),
        ("../../etc/passwd", "etc-passwd"),
        ("--upload-pack=sh", "upload-pack-sh"),
        ("任务", "task"),
        ("", "task"),
        ("a" * 49 + " b", "a" * 49),
    ],
)
def test_slugs(title: str, slug: str) -> None:
    task_id = UUID("01923456-789a-7bcd-8ef0-1234567890ab")
    assert branch_name(task_id, title) == f"assay/567890ab-{slug}"


def test_tasks_of_the_same_moment_have_branches_of_their_own() -> None:
    assert len({branch_name(new_id(), "Same") for _ in range(100)}) == 100


# What is taken goes to git; of names that are odd but right some may be refused.
@given(st.text("ab/.-@{~^:?*[\\ \x7f\tlock", min_size=1, max_size=12))
def test_git_takes_what_is_taken(name: str) -> None:
    try:
        check_branch(name)
    except BranchInvalid:
        return
    assert git_takes(name)
    assert not name.startswith("-")


@pytest.mark.parametrize(
    "name", ["", "-b", "--force", "a..b", "a b", "a*", "a:b", "@", "HEAD", "x.lock", "a/", "\ud800"]
)
def test_refused(name: str) -> None:
    with pytest.raises(BranchInvalid, match="not the name of a branch"):
        check_branch(name)


@pytest.mark.parametrize("name", ["main", "release/1.0", "ümlaut", "feature#12", "a-b_c.d"])
def test_taken(name: str) -> None:
    assert check_branch(name) == name
