"""How the answers of reviewers become a decision: pure, so that it can be tried out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from assay.consults.requests.models import Kind, Rule


def decision(rule: Rule, quorum: int, kind: Kind, answers: Sequence[Any]) -> Any | None:
    """The answer that decides, or `None` while there is no decision.

    Args:
        rule: `first`: the earliest answer decides. `majority`: an answer that more than half of
            the quorum gave. `unanimous`: an answer that the whole quorum gave, and nobody
            another one; of `approve` a single refusal decides, since there cannot be unanimity
            any more.
        quorum: how many reviewers are wanted.
        kind: what was asked for.
        answers: one of each reviewer who counts, the earliest first.
    """
    if not answers:
        return None
    if rule is Rule.first:
        return answers[0]
    refusals = [each for each in answers if kind is Kind.approve and not each["approved"]]
    if rule is Rule.unanimous and refusals:
        return refusals[0]
    same = Counter(map(_canonical, answers))
    winner, votes = same.most_common(1)[0]
    needed = quorum // 2 + 1 if rule is Rule.majority else quorum
    if votes < needed or (rule is Rule.unanimous and len(same) > 1):
        return None
    return orjson.loads(winner)


def _canonical(answer: Any) -> bytes:
    """Equal for answers that are the same JSON, whatever the order of their members."""
    return orjson.dumps(answer, option=orjson.OPT_SORT_KEYS)
