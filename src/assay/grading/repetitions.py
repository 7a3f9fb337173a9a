"""Estimates from asking the same several times."""

import math


def pass_hat_k(passed: int, repetitions: int, k: int) -> float:
    """pass^k: the chance that k answers to the same all pass.

    C(passed, k) / C(repetitions, k), the share of the choices of k repetitions in which all
    passed; unbiased. S. Yao, N. Shinn, P. Razavi and K. Narasimhan, "τ-bench: a benchmark for
    tool-agent-user interaction in real-world domains" (2024). The mean over items is the run's.

    Args:
        passed: How many repetitions passed.
        repetitions: How many there are.
        k: From 1 to `repetitions`.

    Raises:
        ValueError: A number is out of its range.
    """
    _check(passed, repetitions, k)
    return math.comb(passed, k) / math.comb(repetitions, k)


def pass_at_k(passed: int, repetitions: int, k: int) -> float:
    """pass@k: the chance that at least one of k answers to the same passes.

    1 - C(repetitions - passed, k) / C(repetitions, k); unbiased. M. Chen et al., "Evaluating large
    language models trained on code" (2021), equation 1. The mean over items is the run's.

    Args:
        passed: How many repetitions passed.
        repetitions: How many there are.
        k: From 1 to `repetitions`.

    Raises:
        ValueError: A number is out of its range.
    """
    _check(passed, repetitions, k)
    return 1 - math.comb(repetitions - passed, k) / math.comb(repetitions, k)


def _check(passed: int, repetitions: int, k: int) -> None:
    if not 0 <= passed <= repetitions:
        raise ValueError(f"passed must be from 0 to repetitions, but {passed} of {repetitions}.")
    if not 1 <= k <= repetitions:
        raise ValueError(f"k must be from 1 to repetitions, but is {k} of {repetitions}.")
