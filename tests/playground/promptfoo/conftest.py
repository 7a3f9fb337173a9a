"""An evaluation file on disk."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from assay.playground.promptfoo.reader import read_suite
from assay.playground.promptfoo.suite import Suite, SuiteFault

WHOLE = """
prompts: ['Say {{word}}']
providers: [builtin/echo]
tests: [{vars: {word: hi}}]
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Suite]:
    """Reads a text as an evaluation file; what it lacks is taken from a whole one."""

    def reading(text: str, *, name: str = "suite.yaml", whole: bool = False) -> Suite:
        text = dedent(text)
        if not whole:
            given = {line.partition(":")[0] for line in text.splitlines()}
            rest = [line for line in WHOLE.splitlines() if line.partition(":")[0] not in given]
            text = "\n".join([text, *rest])
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_suite(path)

    return reading


@pytest.fixture
def faults(read: Callable[..., Suite]) -> Callable[..., dict[str, str]]:
    """Reads a faulty text and gives its faults by place, the detail under an empty place."""

    def reading(text: str, **options: object) -> dict[str, str]:
        with pytest.raises(SuiteFault) as caught:
            read(text, **options)
        by_place = {fault.place: fault.message for fault in caught.value.errors}
        assert len(by_place) == len(caught.value.errors)
        return {"": caught.value.detail, **by_place}

    return reading
