from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.grading.gates import GateFault, parse_gate

ENTRY: dict[str, Any] = {
    "pass_rate": 0.95,
    "pass_rate_interval": [0.91, 0.98],
    "mean_score": 0.9,
    "failed": 4,
    "errors": 1,
    "cost": None,
    "latency_ms": {"p50": 100.0, "p90": 150.0, "p95": 200.0, "p99": 900.0},
    "assertions": [
        {"name": "is-json", "type": "is-json", "cells": 10, "passed": 9},
        {"name": "tone", "type": "equals", "cells": 10, "passed": 5},
        {"name": "tone", "type": "regex", "cells": 10, "passed": 10},
    ],
}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("pass_rate>=0.95", True),
        ("pass_rate >= 95%", True),
        ("pass_rate>0.95", False),
        ("pass_rate<=0.95", True),
        ("pass_rate<0.95", False),
        ("pass_rate==0.95", True),
        ("pass_rate>=0.951", False),
        ("pass_rate_low>=0.9", True),
        ("mean_score>=0.91", False),
        ("errors<=0", False),
        ("failed<5", True),
        ("latency_p95<=250", True),
        ("latency_p99<=250", False),
        ("assertion:is-json>=0.9", True),
        ("assertion:tone>=0.76", False),
        ("assertion:tone>=0.75", True),
        ("assertion:unknown>=0", False),
        ("cost<=1", False),
    ],
)
def test_a_gate_is_met_or_not(text: str, met: bool) -> None:
    assert parse_gate(text).check(ENTRY).met is met


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no gate"),
        ("pass_rate", "is no gate"),
        ("pass_rate>=", "is no gate"),
        ("pass_rate=>0.9", "is no gate"),
        ("pass-rate>=0.9", "is no gate"),
        ("passrate>=0.9", "Did you mean pass_rate?"),
        ("pass_rate>=1.2.3", "is no number"),
        ("0.9<=pass_rate", "is no gate"),
    ],
)
def test_what_is_no_gate_is_refused(text: str, message: str) -> None:
    with pytest.raises(GateFault, match=message.replace("?", r"\?")):
        parse_gate(text)


@given(passed=st.integers(0, 1000), total=st.integers(1, 1000))
def test_a_rate_reaches_itself_however_it_is_rounded(passed: int, total: int) -> None:
    rate = min(passed, total) / total
    assert parse_gate(f"pass_rate>={rate:.12f}").check({**ENTRY, "pass_rate": rate}).met
