from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from assay.gateway.errors import ModelError, ModelUnavailable, RateLimited, RequestRefused
from assay.gateway.providers.refusals import refusal, retry_after


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRefused),
        (401, RequestRefused),
        (403, RequestRefused),
        (404, RequestRefused),
        (408, ModelUnavailable),
        (409, ModelUnavailable),
        (413, RequestRefused),
        (422, RequestRefused),
        (425, ModelUnavailable),
        (429, RateLimited),
        (500, ModelUnavailable),
        (503, ModelUnavailable),
        (529, ModelUnavailable),
        (302, RequestRefused),
        (204, RequestRefused),
    ],
)
def test_each_status_is_one_error(status: int, kind: type[ModelError]) -> None:
    error = refusal("p/m", status, "the reason")
    assert type(error) is kind
    assert str(error).startswith(f"p/m answered {status}: the reason")


def test_an_empty_account_is_not_waited_for() -> None:
    assert type(refusal("p/m", 429, "pay", code="insufficient_quota")) is RequestRefused


def test_a_wait_is_taken_from_429_and_5xx() -> None:
    for status in (429, 503):
        assert refusal("p/m", status, "", headers={"retry-after": "7"}).retry_after == 7.0


def test_long_messages_are_cut_and_put_on_one_line() -> None:
    words = str(refusal("p/m", 400, "two\n lines " + "x" * 10_000))
    assert words.startswith("p/m answered 400: two lines xxx")
    assert len(words) < 700
    assert words.endswith("…")


def test_the_secret_is_cut_out_even_at_the_edge_of_a_long_message() -> None:
    secret = "sk-" + "s" * 40
    assert "sss" not in str(refusal("p/m", 400, "x" * 580 + secret, secret=secret))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
    ],
)
def test_the_wait_is_read_from_either_header(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


def test_a_date_is_counted_from_now() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after({"retry-after": soon}) == pytest.approx(90, abs=2)
