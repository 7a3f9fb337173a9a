"""Reads a configuration in promptfoo's shape.

What Assay cannot carry over is a fault that names its place and the remedy, or, for an import, an
entry in a list of what was left out: nothing is dropped without a word.
"""

from pathlib import Path
from typing import Any

from assay.core.errors import FieldFault
from assay.playground.promptfoo.cases import read_tests
from assay.playground.promptfoo.derived import read_derived_metrics
from assay.playground.promptfoo.document import read_document
from assay.playground.promptfoo.files import Files, FolderFiles
from assay.playground.promptfoo.judges import default_judge
from assay.playground.promptfoo.node import Findings, Node
from assay.playground.promptfoo.options import read_options
from assay.playground.promptfoo.prompts import read_prompts
from assay.playground.promptfoo.providers import read_providers
from assay.playground.promptfoo.suite import Suite, SuiteFault, SuitePrompt, SuiteTest

_FIELDS = (
    "description",
    "prompts",
    "providers",
    "tests",
    "defaultTest",
    "evaluateOptions",
    "derivedMetrics",
)
_REFUSED = {
    "assertionTemplates": "Templates of assertions are not read: use a YAML anchor.",
    "commandLineOptions": "Give the options to assay eval.",
    "env": "Set the variables in the environment, or in .env beside where assay is started.",
    "extensions": "Code is not run.",
    "nunjucksFilters": "Code is not run: templates have the filters of Jinja2.",
    "outputPath": "Use assay eval FILE --json PATH.",
    "redteam": "Red teaming is not carried over.",
    "scenarios": "Scenarios are not read: write their tests under tests.",
    "sharing": "Runs are shared at /api/v1/eval-runs/ID/share.",
    "tags": "Tags are not carried over.",
    "targets": "Call this providers.",
    "tracing": "Traces are sent where OTEL_EXPORTER_OTLP_ENDPOINT says.",
}
_NEEDED = ("prompts", "providers", "tests")


def read_suite(path: Path, *, leave_out: bool = False) -> Suite:
    """Read a configuration; files it names are looked for in its folder and below.

    Args:
        path: the file.
        leave_out: list what cannot be carried over, in place of refusing the file.

    Raises:
        SuiteFault: it cannot be used; `errors` names each place, such as
            `tests[3].assert[0].type`, and what would be right there.
    """
    return read_configuration(
        read_document(path), FolderFiles(path.parent), title=str(path), leave_out=leave_out
    )


def read_configuration(value: Any, files: Files, *, title: str, leave_out: bool = False) -> Suite:
    """Read a configuration from its plain value; `title` names it in errors.

    Raises:
        SuiteFault: as `read_suite`.
    """
    findings = Findings(leaves_out=leave_out)
    root = Node(value, "", findings)
    fields = root.fields(_FIELDS, _REFUSED)
    if isinstance(value, dict):
        for name in _NEEDED:
            if name not in fields:
                root.fault("This is missing.", f".{name}")
    prompts = read_prompts(fields["prompts"], files) if "prompts" in fields else []
    providers = read_providers(fields["providers"]) if "providers" in fields else []
    tests = (
        read_tests(fields["tests"], fields.get("defaultTest"), files) if "tests" in fields else []
    )
    options = read_options(fields.get("evaluateOptions"))
    suite = Suite(
        description=fields["description"].text() if "description" in fields else None,
        prompts=prompts,
        providers=providers,
        tests=tests,
        max_concurrency=options.max_concurrency,
        repeat=options.repeat,
        cache=options.cache,
        judge=default_judge(fields.get("defaultTest"), files),
        derived_metrics=read_derived_metrics(fields.get("derivedMetrics")),
        warnings=findings.warnings,
        left_out=findings.left_out,
    )
    if not findings.faults:
        findings.faults.extend(_missing_variables(prompts, tests))
        _check_not_empty(root, suite)
    if findings.faults:
        count = "a fault" if len(findings.faults) == 1 else f"{len(findings.faults)} faults"
        raise SuiteFault(f"{title} has {count}", errors=findings.faults)
    return suite


def _check_not_empty(root: Node, suite: Suite) -> None:
    for name in _NEEDED:
        if not getattr(suite, name):
            root.fault("Nothing of this can be carried over.", f".{name}")


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
