"""A plugin of pytest: evaluations as tests.

A test asks for the fixture `assay_eval` and runs an evaluation file with it::

    def test_intent(assay_eval):
        assay_eval("evals/intent.yaml").require("pass_rate>=0.95")

The runs are kept in Assay's database (`DATABASE_URL`, or the embedded one), as those of
`assay eval` are. The plugin is loaded where Assay is installed; `-p no:assay` switches it off.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from assay.cli.evaluation import Evaluation


@pytest.fixture(scope="session")
def assay_eval() -> "Callable[..., Evaluation]":
    """Runs an evaluation file to its end: `assay_eval(file, name=None, concurrency=None)`.

    Gives an `assay.cli.evaluation.Evaluation`, whose `require` fails the test.
    """
    # Every run of pytest loads this module, and most ask for nothing of it.
    from assay.cli.evaluation import evaluate  # noqa: PLC0415  # see above

    return evaluate
