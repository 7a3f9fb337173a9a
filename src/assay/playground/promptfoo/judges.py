"""Who judges, in a configuration: `provider` and `rubricPrompt` of assertions and of options."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assay.grading.checks import CheckFault
from assay.grading.judges.dialogue import JudgedType, Role
from assay.grading.judges.own_prompt import compile_prompt
from assay.grading.registry import JUDGED_TYPES, split_negation
from assay.playground.promptfoo.case_files import is_reference, read_value
from assay.playground.promptfoo.files import Files
from assay.playground.promptfoo.node import Findings, Node
from assay.playground.promptfoo.providers import read_judge

PROVIDER = "provider"
PROMPT = "rubricPrompt"
OPTIONS = (PROVIDER, PROMPT)
_ROLES: tuple[Role, ...] = ("text", "embedding")


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What options say about judges, as fields of an assertion; `None` where they say nothing."""

    provider: Any = None
    prompt: Any = None


NO_JUDGE_OPTIONS = JudgeOptions()


def read_judge_options(options: Mapping[str, Node], files: Files) -> JudgeOptions:
    """The `provider` and `rubricPrompt` among the options of a test or of `defaultTest`."""
    provider = _provider(options[PROVIDER], "text") if PROVIDER in options else None
    prompt = _prompt(options[PROMPT], files) if PROMPT in options else None
    if prompt is not None:
        try:
            compile_prompt(prompt)
        except CheckFault as fault:
            options[PROMPT].refuse(str(fault))
            prompt = None
    return JudgeOptions(provider, prompt)


def read_judge_fields(node: Node, assertion: dict[str, Any], files: Files) -> None:
    """Turn the `provider` and `rubricPrompt` of an assertion into those that Assay takes."""
    judged = _judged(assertion)
    if judged is None:
        return
    if assertion.get(PROVIDER) is not None:
        provider = node.at(f".{PROVIDER}", assertion[PROVIDER])
        assertion[PROVIDER] = _provider(provider, judged.asks[0])
    if assertion.get(PROMPT) is not None:
        assertion[PROMPT] = _prompt(node.at(f".{PROMPT}", assertion[PROMPT]), files)


def with_judges(
    assertions: Iterable[Mapping[str, Any]], options: JudgeOptions
) -> list[dict[str, Any]]:
    """Assertions with what the options say where they say nothing themselves, also in sets."""
    if options == NO_JUDGE_OPTIONS:
        return [dict(assertion) for assertion in assertions]
    return [_with_judge(assertion, options) for assertion in assertions]


def default_judge(default: Node | None, files: Files) -> dict[str, Any] | None:
    """The judge that `defaultTest` names for all tests, as the `judge` of a run."""
    options = default.value.get("options") if default and isinstance(default.value, dict) else None
    provider = options.get(PROVIDER) if isinstance(options, dict) else None
    if provider is None:
        return None
    # What is wrong with it was noted when the options were read.
    found = read_judge_options({PROVIDER: Node(provider, "", Findings(leaves_out=True))}, files)
    roles = found.provider
    if roles is None:
        return None
    if not _is_map(roles):
        roles = {"text": roles}
    judge: dict[str, Any] = {}
    for role, name, parameters in (
        ("text", "model", "parameters"),
        ("embedding", "embedding", "embedding_parameters"),
    ):
        if role in roles:
            judge |= {name: roles[role]["id"], parameters: roles[role]["config"]}
    return judge or None


def _with_judge(assertion: Mapping[str, Any], options: JudgeOptions) -> dict[str, Any]:
    filled = dict(assertion)
    if isinstance(inner := assertion.get("assert"), list):
        filled["assert"] = with_judges(inner, options)
    judged = _judged(assertion)
    if judged is None:
        return filled
    fits = judged.asks[0] == "text" or _is_map(options.provider)
    if options.provider is not None and fits and filled.get(PROVIDER) is None:
        filled[PROVIDER] = options.provider
    if options.prompt is not None and judged.takes_prompt and filled.get(PROMPT) is None:
        filled[PROMPT] = options.prompt
    return filled


def _judged(assertion: Mapping[str, Any]) -> JudgedType | None:
    return JUDGED_TYPES.get(split_negation(str(assertion.get("type")))[0])


def _is_map(provider: Any) -> bool:
    return isinstance(provider, dict) and "id" not in provider


def _provider(node: Node, role: Role) -> dict[str, Any] | None:
    """An object with `id` and `config`, or one of those for each role; `None` after a fault."""
    if not _is_map(node.value):
        return read_judge(node, embedding=role == "embedding")
    fields = node.fields(
        _ROLES,
        {
            "classification": "No model classifies here: use llm-rubric.",
            "moderation": "There is no moderation: use llm-rubric.",
        },
    )
    judges: dict[str, Any] = {
        each: judge
        for each in _ROLES
        if each in fields
        and (judge := read_judge(fields[each], embedding=each == "embedding")) is not None
    }
    return judges or None


def _prompt(node: Node, files: Files) -> Any:
    return read_value(node, files) if is_reference(node.value) else node.value
