"""How near two embeddings are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.grading.checks import CheckFault


def cosine(left: ArrayLike, right: ArrayLike) -> float:
    """The cosine of the angle between two vectors; 0 where one has no direction."""
    a, b = _pair(left, right)
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else 0.0


def dot(left: ArrayLike, right: ArrayLike) -> float:
    """The dot product of two vectors."""
    a, b = _pair(left, right)
    return float(a @ b)


def distance(left: ArrayLike, right: ArrayLike) -> float:
    """The Euclidean distance of two vectors."""
    a, b = _pair(left, right)
    return float(np.linalg.norm(a - b))


def _pair(left: ArrayLike, right: ArrayLike) -> Sequence[NDArray[np.float64]]:
    a, b = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if a.shape != b.shape:
        raise CheckFault(f"The embeddings have {a.size} and {b.size} numbers: not of one model.")
    return a, b
