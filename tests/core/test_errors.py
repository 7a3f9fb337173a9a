"""Each error of the house says by itself what it is, in its docstring, and how HTTP tells it."""

from collections.abc import Iterator
from inspect import cleandoc

import pytest

import assay.app  # noqa: F401  # so that the errors of all rooms are there
from assay.core.errors import AssayError, FieldFault, Invalid, NotFound, TooMany


def family(kind: type[AssayError] = AssayError) -> Iterator[type[AssayError]]:
    if kind.__module__.startswith("assay."):
        yield kind
    for derived in kind.__subclasses__():
        yield from family(derived)


ALL = sorted(set(family()), key=lambda kind: (kind.__module__, kind.__name__))


@pytest.mark.parametrize("kind", ALL)
def test_it_has_a_status_a_code_and_a_message(kind: type[AssayError]) -> None:
    assert 400 <= kind.status < 600
    assert kind.code.replace("_", "").isalpha()
    assert kind.code.islower()
    message = cleandoc(kind.__doc__ or "").split("\n", 1)[0]
    assert message.endswith("."), "the first line of its docstring is its message"


def test_the_docstring_is_the_message_where_none_is_given() -> None:
    class NoSuchTeapot(NotFound):
        """There is no teapot with this id.

        This is for programmers.
        """

    assert NoSuchTeapot().detail == "There is no teapot with this id."
    assert NoSuchTeapot("It was sold.").detail == "It was sold."
    assert (NoSuchTeapot.status, NoSuchTeapot.code) == (404, "not_found")


def test_faults_are_printed_with_their_places() -> None:
    error = Invalid("Two faults", errors=[FieldFault("a[0]", "odd"), FieldFault("b", "even")])
    assert str(error) == "Two faults; a[0]: odd; b: even"
    assert str(TooMany(retry_after=3)) == "Too many requests; wait a little and try again."
