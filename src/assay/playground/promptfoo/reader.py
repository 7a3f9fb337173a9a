"""Reads an evaluation file in promptfoo's shape.

What Assay cannot carry over is a fault that names its place and the remedy, so that nothing is
dropped without a word.
"""

from pathlib import Path

from assay.core.errors import FieldFault
from assay.playground.promptfoo.cases import read_tests
from assay.playground.promptfoo.document import read_document
from assay.playground.promptfoo.node import Node
from assay.playground.promptfoo.prompts import read_prompts
from assay.playground.promptfoo.providers import read_providers
from assay.playground.promptfoo.suite import Suite, SuiteFault, SuitePrompt, SuiteTest

_FIELDS = ("description", "prompts", "providers", "tests", "defaultTest", "evaluateOptions")
_REFUSED = {
    "assertionTemplates": "Templates of assertions are not read yet: use a YAML anchor.",
    "commandLineOptions": "Give the options to assay eval.",
    "derivedMetrics": "Derived metrics are not carried over.",
    "env": "Set the variables in the environment, or in .env beside where assay is started.",
    "extensions": "Code is not run.",
    "nunjucksFilters": "Code is not run: templates have the filters of Jinja2.",
    "outputPath": "Use assay eval FILE --json PATH.",
    "redteam": "Red teaming is not carried over.",
    "scenarios": "Scenarios are not read yet: write their tests under tests.",
    "tags": "Tags are not carried over.",
    "targets": "Call this providers.",
}
_OPTIONS_REFUSED = {
    "cache": "Answers are not cached yet.",
    "delay": "The pace is set by OPENAI_RPM and OPENAI_MAX_CONCURRENCY in the environment.",
    "maxEvalTimeMs": "There is no limit on the whole; Ctrl-C stops, and --resume goes on.",
    "repeat": "Repetitions are not carried over yet.",
    "showProgressBar": "Progress is always shown, in lines where there is no terminal.",
    "timeoutMs": "The limit for a call is set by OPENAI_TIMEOUT (seconds) in the environment.",
}
MAX_CONCURRENCY = 10_000


def read_suite(path: Path) -> Suite:
    """Read an evaluation file; files it names are looked for in its folder and below.

    Raises:
        SuiteFault: it cannot be used; `errors` names each place, such as
            `tests[3].assert[0].type`, and what would be right there.
    """
    faults: list[FieldFault] = []
    warnings: list[str] = []
    root = Node(read_document(path), "", faults)
    fields = root.fields(_FIELDS, _REFUSED)
    if isinstance(root.value, dict):
        for name in ("prompts", "providers", "tests"):
            if name not in fields:
                root.fault("This is missing.", f".{name}")
    prompts = read_prompts(fields["prompts"], path.parent) if "prompts" in fields else []
    providers = read_providers(fields["providers"]) if "providers" in fields else []
    tests = (
        read_tests(fields["tests"], fields.get("defaultTest"), warnings)
        if "tests" in fields
        else []
    )
    if not faults:
        faults.extend(_missing_variables(prompts, tests))
    suite = Suite(
        description=fields["description"].text() if "description" in fields else None,
        prompts=prompts,
        providers=providers,
        tests=tests,
        max_concurrency=_max_concurrency(fields.get("evaluateOptions")),
        warnings=warnings,
    )
    if faults:
        count = "a fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise SuiteFault(f"{path} has {count}", errors=faults)
    return suite


def _max_concurrency(node: Node | None) -> int | None:
    field = node.fields(("maxConcurrency",), _OPTIONS_REFUSED) if node else {}
    if "maxConcurrency" not in field:
        return None
    value = field["maxConcurrency"].value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_CONCURRENCY:
        return value
    field["maxConcurrency"].fault(f"This must be a whole number from 1 to {MAX_CONCURRENCY:,}.")
    return None


def _missing_variables(prompts: list[SuitePrompt], tests: list[SuiteTest]) -> list[FieldFault]:
    faults: dict[FieldFault, None] = {}
    for prompt in prompts:
        required = sorted(prompt.version.renderer().required)
        for test in tests:
            for name in required:
                if name not in test.variables:
                    message = f'"{name}" is missing, which the prompt "{prompt.name}" uses.'
                    if name == "env":
                        message += " Variables of the environment are not filled in."
                    faults[FieldFault(f"{test.place}.vars", message)] = None
    return list(faults)
