"""How many attempts a worker has in hand, and when the others come back."""

import contextlib
from itertools import pairwise
from types import SimpleNamespace

import pytest

from assay.consults.webhooks.deliveries import hosts as module
from assay.consults.webhooks.deliveries.hosts import (
    LONGEST_WAIT,
    MAX_IN_HAND,
    MAX_TO_HOST,
    Busy,
    Hosts,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock by which it goes, which stands still."""
    now = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def fill(hosts: Hosts, host: str, count: int = MAX_TO_HOST) -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    for _ in range(count):
        stack.enter_context(hosts.attempt(host))
    return stack


def turned_away(hosts: Hosts, host: str) -> float:
    """The seconds after which one that finds no room is to come back."""
    with pytest.raises(Busy) as caught, hosts.attempt(host):
        pass
    return caught.value.wait.total_seconds()


def test_a_host_has_its_share_and_all_have_an_end(clock: list[float]) -> None:
    hosts = Hosts()
    with contextlib.ExitStack() as stack:
        for number in range(MAX_IN_HAND // MAX_TO_HOST):
            assert hosts.has_room()
            stack.enter_context(fill(hosts, f"host-{number}"))
            assert turned_away(hosts, f"host-{number}") >= 1
        assert not hosts.has_room()
        assert turned_away(hosts, "one more") >= 1
    assert hosts.has_room()
    with hosts.attempt("host-0"):
        assert clock


def test_those_that_a_slow_host_cannot_take_come_back_one_after_the_other(
    clock: list[float],
) -> None:
    hosts = Hosts()
    for _ in range(20):
        with hosts.attempt("slow"):
            clock[0] += 20
    with fill(hosts, "slow"):
        waits = [turned_away(hosts, "slow") for _ in range(1000)]
    steps = [later - sooner for sooner, later in pairwise(waits)]
    # It takes 8 in 20 seconds.
    assert all(step == pytest.approx(20 / MAX_TO_HOST, rel=0.05) for step in steps[:300])
    assert waits[0] >= 1
    assert waits[-1] == LONGEST_WAIT


def test_a_quick_host_is_asked_again_soon(clock: list[float]) -> None:
    hosts = Hosts()
    for _ in range(20):
        with hosts.attempt("quick"):
            clock[0] += 0.01
    with fill(hosts, "quick"):
        assert all(turned_away(hosts, "quick") < 2 for _ in range(500))


def test_a_failure_frees_its_place(clock: list[float]) -> None:
    hosts = Hosts()
    for _ in range(2 * MAX_IN_HAND):
        with contextlib.suppress(OSError), hosts.attempt("host"):
            clock[0] += 1
            raise OSError
    with fill(hosts, "host"):
        assert hosts.has_room()


def test_hosts_of_long_ago_are_forgotten_and_busy_ones_are_not(clock: list[float]) -> None:
    hosts = Hosts()
    with fill(hosts, "busy"):
        for number in range(50 * MAX_IN_HAND):
            clock[0] += 1
            with hosts.attempt(f"host-{number}"):
                pass
        assert len(hosts._hosts) < 12 * MAX_IN_HAND
        assert turned_away(hosts, "busy") >= 1
