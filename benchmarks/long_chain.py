"""Builds a chain of ten million recorded additions, goes back through it and frees it, on a small C stack.

python benchmarks/long_chain.py [--length 10000000]
"""

from __future__ import annotations

import argparse
import resource
import sys
import threading
import time
from dataclasses import dataclass

import tapegrad as torch

STACK_BYTES = 256 * 1024


@dataclass
class Report:
    """Seconds of each phase, the gradient of the first element, and the largest memory of the process."""

    build: float
    backward: float
    free: float
    gradient: float
    peak_bytes: int


def run(length: int) -> Report:
    """x + 1 + 1 + ... `length` times, backward through the kept graph, then the graph dropped."""
    x = torch.zeros(1, requires_grad=True)
    start = time.perf_counter()
    y = x
    for _ in range(length):
        y = y + 1.0
    built = time.perf_counter()
    y.backward(retain_graph=True)
    walked = time.perf_counter()
    del y
    freed = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Report(built - start, walked - built, freed - walked, x.grad.item(), peak)


def run_on_small_stack(length: int) -> Report:
    """`run` in a thread whose stack is 256 KiB: recursion over the chain would end the process."""
    reports: list[Report] = []
    before = threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=lambda: reports.append(run(length)))
    thread.start()
    thread.join()
    threading.stack_size(before)
    return reports[0]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--length", type=int, default=10_000_000)
    args = parser.parse_args(argv)
    report = run_on_small_stack(args.length)
    for phase in ("build", "backward", "free"):
        seconds = getattr(report, phase)
        print(f"{phase:8} {seconds:7.3f} s  {1e9 * seconds / args.length:6.1f} ns per addition")
    print(f"gradient {report.gradient:g}, peak memory {report.peak_bytes / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
