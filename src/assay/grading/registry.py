"""The types of assertions by name. A new type is a function and a line here.

Names and meaning are promptfoo's.
"""

from difflib import get_close_matches

from assay.grading import json_checks, limits, overlap, patterns, perplexity, text
from assay.grading.checks import NOTHING, TEXT, TEXTS, CheckFault, CheckType
from assay.grading.judges import (
    answer_relevance,
    closed_qa,
    context_faithfulness,
    context_recall,
    context_relevance,
    factuality,
    g_eval,
    llm_rubric,
    similar,
)
from assay.grading.judges.dialogue import JudgedType, Role

ASSERT_SET = "assert-set"
"""A group of assertions, compiled by itself since it has assertions in place of a value."""

HUMAN = "human"
"""A question to people, compiled by itself since it has options of its own."""

NEGATION = "not-"

CHECK_TYPES: dict[str, CheckType] = {
    "equals": CheckType(text.equals, TEXTS | {"boolean", "object"}),
    "contains": CheckType(text.contains, TEXT),
    "icontains": CheckType(text.icontains, TEXT),
    "contains-all": CheckType(text.contains_all, TEXTS),
    "contains-any": CheckType(text.contains_any, TEXTS),
    "icontains-all": CheckType(text.icontains_all, TEXTS),
    "icontains-any": CheckType(text.icontains_any, TEXTS),
    "starts-with": CheckType(text.starts_with, TEXT),
    "regex": CheckType(patterns.regex, frozenset({"text"})),
    "is-json": CheckType(
        json_checks.is_json, frozenset({"text", "boolean", "object"}), value_optional=True
    ),
    "contains-json": CheckType(
        json_checks.contains_json, frozenset({"text", "boolean", "object"}), value_optional=True
    ),
    "levenshtein": CheckType(text.levenshtein, TEXT, threshold="optional"),
    "rouge-n": CheckType(overlap.rouge_n, TEXT, threshold="optional"),
    "bleu": CheckType(overlap.bleu, TEXTS, threshold="optional"),
    "perplexity": CheckType(perplexity.perplexity, NOTHING, threshold="negated"),
    "perplexity-score": CheckType(perplexity.perplexity_score, NOTHING, threshold="negated"),
    "latency": CheckType(limits.latency, NOTHING, threshold="required"),
    "cost": CheckType(limits.cost, NOTHING, threshold="required"),
}

_NEARNESS: tuple[Role, ...] = ("embedding",)

JUDGED_TYPES: dict[str, JudgedType] = {
    "llm-rubric": JudgedType(llm_rubric.llm_rubric, TEXTS | {"object"}, value="or prompt"),
    "model-graded-closedqa": JudgedType(closed_qa.closed_qa, TEXT, threshold=False),
    "factuality": JudgedType(factuality.factuality, TEXT, threshold=False),
    "g-eval": JudgedType(g_eval.g_eval, TEXTS),
    "answer-relevance": JudgedType(
        answer_relevance.answer_relevance, NOTHING, asks=("text", "embedding")
    ),
    "context-faithfulness": JudgedType(context_faithfulness.context_faithfulness, NOTHING),
    "context-recall": JudgedType(context_recall.context_recall, TEXT),
    "context-relevance": JudgedType(context_relevance.context_relevance, NOTHING),
    "similar": JudgedType(similar.similar, TEXTS, asks=_NEARNESS),
    "similar:cosine": JudgedType(similar.similar, TEXTS, asks=_NEARNESS),
    "similar:dot": JudgedType(similar.similar_dot, TEXTS, asks=_NEARNESS, most=None),
    "similar:euclidean": JudgedType(similar.similar_euclidean, TEXTS, asks=_NEARNESS, most=None),
}
"""The types that ask models."""


def split_negation(name: str) -> tuple[str, bool]:
    """Split "not-contains" into "contains" and whether it is negated."""
    return name.removeprefix(NEGATION), name.startswith(NEGATION)


def find_check_type(name: str) -> CheckType | JudgedType:
    """The type of a name without `not-`.

    Raises:
        CheckFault: There is no such type; says which there are, and the nearest.
    """
    if name in CHECK_TYPES:
        return CHECK_TYPES[name]
    if name in JUDGED_TYPES:
        return JUDGED_TYPES[name]
    known = [*CHECK_TYPES, *JUDGED_TYPES, HUMAN, ASSERT_SET]
    near = get_close_matches(name, known, n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    raise CheckFault(
        f'There is no assertion type "{name}".{hint} '
        f"The types are {', '.join(known)}, each also with {NEGATION} before it.",
        "type",
    )
