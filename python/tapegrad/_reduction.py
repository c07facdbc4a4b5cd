"""How losses are reduced, in the words of old programs."""

from __future__ import annotations

import warnings


def legacy_reduction(size_average: bool | None, reduce: bool | None, depth: int = 0) -> str:
    """Translate the old arguments `size_average` and `reduce` into a `reduction`, and warn the user, who is
    `depth` + 1 calls away."""
    average = True if size_average is None else size_average
    result = "none" if reduce is False else "mean" if average else "sum"
    warnings.warn(
        f"size_average and reduce args will be deprecated, please use reduction='{result}' instead.",
        stacklevel=2 + depth,
    )
    return result
