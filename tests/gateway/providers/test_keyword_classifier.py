from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.gateway.providers.keyword_classifier import classify, first_label

BARE = """Sort the message into one of these intents. Answer with the intent only.
- billing
- delivery
- account
- other

Message: {message}"""

RICH = """Sort the message into one of these intents. Answer with the intent only.
- billing: invoices, charges, refunds, payments, prices
- delivery: parcels, shipping, tracking, late or lost orders
- account: login, password, e-mail address, deleting a profile
- other: anything else

Message: {message}"""


def user(content: str) -> Any:
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    ("message", "label"),
    [
        ("I was charged twice, please refund me", "billing"),
        ("The parcel was shipped a week ago and is still not here", "delivery"),
        ("I forgot my passwords", "account"),
        ("Tracking says it is lost", "delivery"),
        ("Do you sell gift cards?", "other"),
    ],
)
def test_the_label_that_shares_most_words_wins(message: str, label: str) -> None:
    assert classify(user(RICH.format(message=message))) == label


def test_richer_descriptions_give_better_answers() -> None:
    asked = "I was charged twice, please refund me"
    assert classify(user(BARE.format(message=asked))) == "other"
    assert classify(user(RICH.format(message=asked))) == "billing"


def test_a_tie_goes_to_the_first_and_nothing_in_common_to_the_last() -> None:
    prompt = "- one: apple\n- two: pear\n- three: plum\n\nMessage: {}"
    assert classify(user(prompt.format("a pear and an apple"))) == "one"
    assert classify(user(prompt.format("a melon"))) == "three"


def test_the_message_is_what_follows_the_last_mark() -> None:
    text = "- a: cats\n- b: dogs\nMessage: cats\nanswer: a\n\nMessage: dogs\nand\n- c: birds"
    assert classify(user(text)) == "b"


def test_without_a_mark_it_is_the_last_user_message() -> None:
    messages: Any = [
        {"role": "system", "content": "- a: cats\n- b: dogs\n- c: birds"},
        {"role": "user", "content": "cats"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "My dogs bark"},
    ]
    assert classify(messages) == "b"


@pytest.mark.parametrize("bullet", ["- ", "* ", "  - ", "• "])
@pytest.mark.parametrize("name", ["refund_request", "`refund_request`", "'refund_request'"])
def test_labels_are_read_from_any_list(bullet: str, name: str) -> None:
    text = f"{bullet}{name}: money back\n{bullet}rest: \n\nMessage: my money"
    assert classify(user(text)) == "refund_request"


def test_a_sentence_in_a_list_is_no_label() -> None:
    rules = "- answer with the name of the label only\n- yes: agree\n- no: decline"
    text = f"Rules:\n{rules}\n\nMessage: x"
    assert first_label(user(text)) == "yes"


def test_no_labels_is_said() -> None:
    assert classify(user("Message: hello")).startswith("no labels found")
    assert first_label(user("hello")).startswith("no labels found")
    assert classify([]).startswith("no labels found")


def test_the_first_label_is_always_the_first() -> None:
    assert first_label(user(RICH.format(message="my parcel"))) == "billing"


@given(st.text())
def test_whatever_is_asked_the_answer_is_one_of_the_labels(message: str) -> None:
    text = "- a: cats\n- b: dogs\n\nMessage: " + message.replace("Message:", "")
    assert classify(user(text)) in {"a", "b"}
