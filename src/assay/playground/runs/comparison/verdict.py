"""What a comparison says, in plain words."""

from dataclasses import dataclass
from enum import StrEnum

from assay.grading.bootstrap import PairedDifference
from assay.grading.comparison import Pairs, mcnemar_p_value, paired_interval

ALPHA = 0.05


class Outcome(StrEnum):
    """What came out: a difference, or none that the items can show."""

    better = "better"
    worse = "worse"
    undecided = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, the sentence that says it, and what could have been seen.

    `smallest_difference` is the smallest difference of the pass rates that would have been called
    one, with as many items and as many of them changed; `None` where there are too few items for
    any.
    """

    outcome: Outcome
    text: str
    smallest_difference: float | None


def judge(
    pairs: Pairs, p_value: float, score: PairedDifference | None, comparisons: int
) -> Verdict:
    """Say what two runs show.

    Args:
        pairs: how the items came out.
        p_value: of McNemar's test, corrected for the number of comparisons.
        score: the difference of the mean scores, its p-value corrected as well; `None` where there
            are too few pairs for one.
        comparisons: how many there are.
    """
    smallest = smallest_difference(pairs, ALPHA / max(1, comparisons))
    if not pairs.total:
        text = "Nothing can be said: no item has a result in both."
        return Verdict(Outcome.undecided, text, None)
    if p_value < ALPHA:
        outcome = Outcome.better if pairs.won > pairs.lost else Outcome.worse
        return Verdict(outcome, _decided(outcome, pairs, p_value), smallest)
    parts = [_undecided(pairs, p_value), _could_show(smallest)]
    if score is not None and score.p_value < ALPHA:
        direction = "higher" if score.difference > 0 else "lower"
        parts.append(
            f"The mean score is {direction}, though: by {abs(score.difference):.3f} "
            f"(95 % interval of the difference {score.low:.3f} to {score.high:.3f}, "
            f"p = {told(score.p_value)})."
        )
    return Verdict(Outcome.undecided, " ".join(parts), smallest)


def smallest_difference(pairs: Pairs, alpha: float = ALPHA) -> float | None:
    """The smallest difference of the pass rates that McNemar's exact test would call one.

    Reckoned with as many changed items as there are, or with as few as the test needs where there
    are fewer: of six coins that all fall alike the chance is 1 in 32, of five 1 in 16.

    Returns:
        From 0 to 1; `None` where even a change of every item would not be enough.
    """
    changed = pairs.won + pairs.lost
    while changed <= pairs.total and _p_value(changed, changed) >= alpha:
        changed += 1
    if changed > pairs.total or not changed:
        return None
    low, high = (changed + 1) // 2, changed
    while low < high:
        middle = (low + high) // 2
        if _p_value(middle, changed) < alpha:
            high = middle
        else:
            low = middle + 1
    return (2 * low - changed) / pairs.total


def told(p_value: float) -> str:
    """A p-value as it is written."""
    return f"{p_value:.2g}" if p_value >= 0.0001 else "below 0.0001"


def _p_value(one_way: int, changed: int) -> float:
    return mcnemar_p_value(Pairs(0, one_way, changed - one_way, 0))


def _decided(outcome: Outcome, pairs: Pairs, p_value: float) -> str:
    low, high = paired_interval(pairs)
    before, after = pairs.both + pairs.lost, pairs.both + pairs.won
    return (
        f"{outcome.capitalize()}: {_items(pairs.won)} got better and {pairs.lost:,} worse, of "
        f"{pairs.total:,} (p = {told(p_value)}). The pass rate went from "
        f"{before / pairs.total:.1%} to {after / pairs.total:.1%}, by "
        f"{100 * pairs.difference:+.1f} points (95 % interval {100 * low:+.1f} to "
        f"{100 * high:+.1f})."
    )


def _undecided(pairs: Pairs, p_value: float) -> str:
    opening = f"No difference that {'this' if pairs.total == 1 else 'these'} {_items(pairs.total)} "
    opening += "can show"
    if not pairs.won + pairs.lost:
        return f"{opening}: each came out the same in both."
    won, lost = pairs.won, pairs.lost
    return f"{opening}: {won:,} got better and {lost:,} worse (p = {told(p_value)})."


def _could_show(smallest: float | None) -> str:
    if smallest is None:
        return "They are too few to show any difference."
    return (
        f"A difference of {100 * smallest:.1f} points or more would have shown; a smaller one may "
        "be there all the same."
    )


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"
