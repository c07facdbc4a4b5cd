"""The same work in several Python threads at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

THREADS = 4


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    """What work(i) returns, or the exception that it raises, for each of several threads."""
    results: list[Any] = [None] * THREADS
    start = threading.Barrier(THREADS)

    def run(i: int) -> None:
        start.wait()
        try:
            results[i] = work(i)
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
