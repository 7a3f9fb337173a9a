from collections.abc import Callable
from typing import Any

from assay import migrations

Run = Callable[..., Any]


def test_from_nothing_to_head(assay: Run, empty_dsn: str) -> None:
    ended = assay("migrate", "--check")
    assert ended.code == 1
    assert f"is at revision none; this Assay needs {migrations.head()}" in ended.out

    ended = assay("migrate")
    assert ended.code == 0
    assert f"from revision none to {migrations.head()}" in ended.out

    for arguments in (["migrate", "--check"], ["migrate"]):
        ended = assay(*arguments)
        assert ended.code == 0
        assert f"is at revision {migrations.head()}, the newest" in ended.out
