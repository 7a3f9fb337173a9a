"""The rules by which answers become a decision, over all that reviewers may say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.consults.requests.models import Kind, Rule
from assay.consults.requests.quorum import decision

YES, NO = {"approved": True}, {"approved": False}
VOTES = st.lists(st.sampled_from([YES, NO, {"approved": True, "edits": {"amount": 1}}]))
WORDS = st.lists(st.sampled_from(["a", "b", "c"]))


@pytest.mark.parametrize("rule", Rule)
def test_nobody_has_answered(rule: Rule) -> None:
    assert decision(rule, 1, Kind.text, []) is None


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1))
def test_by_first_the_earliest_decides(answers: list[str]) -> None:
    assert decision(Rule.first, 1, Kind.text, answers) == answers[0]


@given(WORDS, st.integers(1, 5))
def test_a_majority_is_more_than_half_of_the_quorum(answers: list[str], quorum: int) -> None:
    decided = decision(Rule.majority, quorum, Kind.text, answers)
    most = max((answers.count(each) for each in answers), default=0)
    if decided is None:
        assert 2 * most <= quorum
    else:
        assert answers.count(decided) == most
        assert 2 * most > quorum


@given(WORDS, st.integers(1, 5))
def test_unanimity_takes_the_whole_quorum_and_no_other_voice(
    answers: list[str], quorum: int
) -> None:
    decided = decision(Rule.unanimous, quorum, Kind.text, answers)
    assert (decided is not None) == (len(set(answers)) == 1 and len(answers) >= quorum)


@given(VOTES, st.integers(1, 5))
def test_one_refusal_ends_the_hope_of_unanimous_approval(votes: list[Any], quorum: int) -> None:
    decided = decision(Rule.unanimous, quorum, Kind.approve, votes)
    if NO in votes:
        assert decided == NO
    elif decided is not None:
        assert decided["approved"]
        assert votes.count(decided) == len(votes) >= quorum


def test_the_order_of_members_makes_no_other_answer() -> None:
    answers: list[Any] = [{"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1}]
    assert decision(Rule.unanimous, 2, Kind.form, answers) == answers[0]
    assert decision(Rule.unanimous, 2, Kind.form, [{"a": 1}, {"a": True}]) is None
