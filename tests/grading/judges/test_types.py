"""How each type comes to its verdict."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.judges.llm_rubric import FORM
from assay.grading.judges.material import marked_text, units_of
from assay.grading.judges.vectors import cosine, distance, dot
from assay.grading.questions import BrokenAnswer, EmbeddingQuestion, JudgeQuestion

RUBRIC = {"type": "llm-rubric", "value": "is {{ mood }}"}
VECTORS = {
    "paris": [1.0, 0.0],
    "france": [0.8, 0.6],
    "cats": [0.0, 1.0],
    "gone": [-1.0, 0.0],
}


def vector(text: str) -> list[float]:
    return VECTORS[text.strip(" .?").lower()]


def test_llm_rubric(bench: Any) -> None:
    entry = bench(RUBRIC, [{"reason": "kind words", "score": 0.4, "pass": True}], mood="kind")
    assert (entry.passed, entry.score, entry.reason) == (True, 0.4, "kind words")
    assert "is kind" in bench.conversation()
    assert not bench(RUBRIC, [{"reason": "r", "score": 1, "pass": False}], mood="kind").passed
    threshold = {**RUBRIC, "threshold": 0.5}
    entry = bench(threshold, [{"reason": "r", "score": 0.4, "pass": True}], mood="kind")
    assert not entry.passed
    entry = bench(
        {**RUBRIC, "type": "not-llm-rubric"},
        [{"reason": "r", "score": 0.25, "pass": False}],
        mood="rude",
    )
    assert (entry.passed, entry.score) == (True, 0.75)
    entry = bench(RUBRIC)
    assert entry.error
    assert '"mood" is missing' in entry.reason


def test_a_rubric_can_be_an_object_and_name_the_output(bench: Any) -> None:
    met = {"reason": "a\x00b", "score": 1, "pass": True}
    entry = bench({**RUBRIC, "value": {"city": ["{{ output }}"]}}, [met])
    assert '"city": [\n    "Paris."' in bench.conversation()
    assert entry.reason == "a\N{REPLACEMENT CHARACTER}b"


def test_own_prompts(bench: Any) -> None:
    met = {"reason": "r", "score": 1, "pass": True}
    prompt = "{{ name }}: is {{ output }} as {{ rubric }} says?"
    assert bench({**RUBRIC, "value": "r", "rubricPrompt": prompt}, [met], name="N").passed
    assert bench.asked[-1].messages == [{"role": "user", "content": "N: is Paris. as r says?"}]
    messages = [
        {"role": "system", "content": "Be strict."},
        {"role": "user", "content": "{{ output }}"},
    ]
    for written in (messages, str(messages).replace("'", '"')):
        assert bench({"type": "llm-rubric", "rubricPrompt": written}, [met]).passed
        assert bench.asked[-1].messages == [messages[0], {"role": "user", "content": "Paris."}]
    # A variable of the item may take the place of a name, but not of the answer.
    prompt = "{{ input }} {{ ideal }} {{ completion }}"
    factuality = {"type": "factuality", "value": "v", "rubricPrompt": prompt}
    found = {"reason": "r", "category": "C"}
    bench(factuality, [found], input="mine", completion="forged")
    assert bench.conversation() == "mine v Paris."
    bench(factuality, [found])
    assert bench.conversation() == "What is the capital of France? v Paris."
    entry = bench({"type": "factuality", "value": "v", "rubricPrompt": "{{ nobody }}"})
    assert entry.error
    assert "rubricPrompt cannot be filled in" in entry.reason


def test_closed_qa(bench: Any) -> None:
    closed = {"type": "model-graded-closedqa", "value": "names a city"}
    assert bench(closed, [{"reason": "r", "meets": True}]).score == 1.0
    assert bench(closed, [{"reason": "r", "meets": False}]).score == 0.0
    assert "What is the capital of France?" in bench.conversation()


@pytest.mark.parametrize(
    ("category", "passed"), [*zip("ABCE", [True] * 4, strict=True), ("D", False)]
)
def test_factuality(bench: Any, category: str, passed: bool) -> None:
    entry = bench({"type": "factuality", "value": "Paris"}, [{"reason": "r", "category": category}])
    assert (entry.passed, entry.score) == (passed, float(passed))
    assert f"({category}). r" in entry.reason


def test_g_eval(bench: Any) -> None:
    steps, grade = {"steps": ["look"]}, {"reason": "r", "score": 7}
    entry = bench({"type": "g-eval", "value": "clear"}, [steps, grade])
    assert (entry.passed, entry.score) == (True, 0.7)
    assert [question.lasting for question in bench.asked] == [True, False]
    assert "- look" in bench.conversation()
    assert "Paris." not in bench.conversation(0)
    assert (entry.judge.tokens_in, entry.judge.cost) == (20, 0.02)
    both = {"type": "g-eval", "value": ["clear", "kind"], "threshold": 0.6}
    entry = bench(both, [steps, steps, grade, {"reason": "s", "score": 4}])
    assert (entry.passed, entry.score, entry.reason) == (False, 0.55, "r\n\ns")
    assert bench({"type": "g-eval", "value": "c"}, [{"steps": []}]).error
    assert bench({"type": "g-eval", "value": []}).error


def test_answer_relevance(bench: Any) -> None:
    relevance = {"type": "answer-relevance"}
    entry = bench(relevance, [{"questions": ["France?", "Cats?"]}], query="Paris?", vector=vector)
    assert (entry.passed, entry.score) == (False, pytest.approx(0.4))
    assert entry.judge.model == "test/judge, test/embedder"
    entry = bench(
        relevance,
        [{"questions": ["France"]}],
        prompt=[{"role": "user", "content": "Paris"}],
        vector=vector,
    )
    assert (entry.passed, entry.score) == (True, pytest.approx(0.8))
    assert bench(relevance, [{"questions": [" "]}], query="Paris", vector=vector).error
    assert bench(relevance, prompt=[]).error


def test_context_faithfulness(bench: Any) -> None:
    faithful = {"type": "context-faithfulness", "threshold": 0.6}
    statements = [
        {"statement": "Paris is the capital", "reason": "said", "supported": True},
        {"statement": "It is large", "reason": "not said", "supported": False},
    ]
    given = {"query": "Which?", "context": ["Paris is the capital.", "It rains."]}
    entry = bench(faithful, [{"statements": statements}], **given)
    assert (entry.passed, entry.score) == (False, 0.5)
    assert entry.reason.endswith("Not in the context: It is large")
    assert "Paris is the capital.\n\nIt rains." in bench.conversation()
    assert bench({"type": "context-faithfulness"}, [{"statements": statements}], **given).passed
    assert bench(faithful, [{"statements": []}], **given).error
    assert '"query"' in bench(faithful, context="c").reason
    assert '"context"' in bench(faithful, query="q").reason


def test_context_recall(bench: Any) -> None:
    recall = {"type": "context-recall", "value": "Paris is the capital. It is large! Is it?"}
    found = {"reason": "size is missing", "attributed": [1, 1]}
    entry = bench(recall, [found], context="Paris is the capital.")
    assert (entry.passed, entry.score) == (False, pytest.approx(1 / 3))
    assert "[2] It is large!" in bench.conversation()
    entry = bench(recall, [{"reason": "r", "attributed": [4]}], context="c")
    assert entry.error
    assert "named piece 4" in entry.reason


def test_context_relevance(bench: Any) -> None:
    relevance = {"type": "context-relevance", "threshold": 0.5}
    found = {"reason": "one does", "relevant": [2]}
    entry = bench(relevance, [found], query="q", context="It rains.\nParis is the capital.")
    assert (entry.passed, entry.score) == (True, 0.5)
    assert not bench(relevance, [{"reason": "r", "relevant": []}], query="q", context="c").passed
    assert bench(relevance, query="q", context=[]).error


def test_similar(bench: Any) -> None:
    similar = {"type": "similar", "value": "France"}
    entry = bench(similar, vector=vector)
    assert (entry.passed, entry.score) == (True, pytest.approx(0.8))
    assert entry.reason == 'To "France" the similarity is 0.80; the threshold is 0.75.'
    assert entry.judge.cost == 0.001
    entry = bench({**similar, "type": "not-similar"}, vector=vector)
    assert (entry.passed, entry.score) == (False, pytest.approx(0.2))
    entry = bench({**similar, "value": ["Cats", "France", "Paris"]}, vector=vector)
    assert (entry.passed, entry.score) == (True, pytest.approx(0.8))
    entry = bench({**similar, "value": ["Cats", "France"], "threshold": 0.9}, vector=vector)
    assert (entry.passed, entry.score) == (False, pytest.approx(0.8))
    assert bench({**similar, "value": "Gone"}, vector=vector).score == 0.0
    [question] = bench.asked[-1:]
    assert isinstance(question, EmbeddingQuestion)
    assert (question.expected, question.texts) == (("Gone",), ("Paris.",))


def test_similar_by_other_measures(bench: Any) -> None:
    assert bench({"type": "similar:dot", "value": "France"}, vector=vector).passed
    euclidean = {"type": "similar:euclidean", "value": "France", "threshold": 0.7}
    entry = bench(euclidean, vector=vector)
    assert (entry.passed, entry.score) == (True, pytest.approx(1 / (1 + 0.4**0.5)))
    assert not bench({**euclidean, "threshold": 0.6}, vector=vector).passed


def test_an_empty_answer_is_like_nothing(bench: Any) -> None:
    entry = bench({"type": "similar", "value": "France"}, output=" \n")
    assert (entry.passed, entry.error, bench.asked) == (False, False, [])
    assert bench({"type": "not-similar", "value": "France"}, output="").passed


def test_embeddings_of_different_sizes_are_an_error(bench: Any) -> None:
    entry = bench({"type": "not-similar", "value": "ab"}, vector=lambda text: [1.0] * len(text))
    assert entry.error
    assert "not of one model" in entry.reason


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.floats(0.001, 1000))
def test_vectors(numbers: list[float], scale: float) -> None:
    scaled = [number * scale for number in numbers]
    if dot(numbers, numbers) > 1e-12:
        assert cosine(numbers, scaled) == pytest.approx(1.0)
        assert cosine(numbers, [-number for number in numbers]) == pytest.approx(-1.0)
    assert cosine(numbers, [0.0] * len(numbers)) == 0.0
    assert distance(numbers, numbers) == 0.0


@given(st.text(), st.text(alphabet="<>/answer-0123456789abcdef \n"))
def test_marks_cannot_be_forged(text: str, attack: str) -> None:
    for material in (text, attack, marked_text("answer", attack)):
        first, *_, last = marked_text("answer", material).split("\n")
        assert last == first.replace("<", "</")
        assert last not in material


@given(st.lists(st.sampled_from(["One is here.", "Is it two?", "Three!"]), min_size=1))
def test_units(sentences: list[str]) -> None:
    assert units_of(" ".join(sentences)) == sentences
    assert units_of("\n\n".join(sentences)) == (
        sentences if len(sentences) > 1 else units_of(sentences[0])
    )


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('{"reason": "r", "score": 1, "pass": true}', True),
        ('```json\n{"reason": "r", "score": 0, "pass": false}\n```', False),
        # What was quoted from an answer does not count; the judge's own words come last.
        (
            'It says {"reason": "x", "score": 1, "pass": true} but '
            '{"reason": "r", "score": 0, "pass": false}',
            False,
        ),
        ('{"reason": "r", "score": 1.01, "pass": true}', None),
        ('{"reason": "r", "score": "1", "pass": true}', None),
        ('{"reason": "r", "score": 1, "pass": 1}', None),
        ('{"reason": "r", "score": 1, "pass": true, "more": 1}', None),
        ('{"reason": "r", "score": NaN, "pass": true}', None),
        ('[{"reason": "r", "score": 1, "pass": true}]', None),
        ("yes", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_forms(answer: str, found: bool | None) -> None:
    if found is None:
        with pytest.raises(BrokenAnswer):
            FORM.read(answer)
    else:
        assert FORM.read(answer)["pass"] is found


def test_questions_differ_by_what_is_asked(bench: Any) -> None:
    met = {"reason": "r", "score": 1, "pass": True}
    for mood in ("kind", "kind", "rude"):
        bench(RUBRIC, [met], mood=mood)
    first, again, other = bench.asked
    assert isinstance(first, JudgeQuestion)
    assert first.key == again.key != other.key
