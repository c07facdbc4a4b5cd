"""Times cases on one engine, in this process: names of cases come in on stdin, one JSON line each goes out.

    echo "digits MLP training step" | python benchmarks/runner.py tapegrad

The first line tells the engine's version. A case's line has `seconds` per execution of its statement, or
`skipped`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import timeit
from typing import Any

import cases

FUNCTIONAL = ("jax", "autograd")


def limit_threads(threads: int) -> None:
    """Tells every numerical library's thread pool its size; must run before the libraries are imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class Stopwatch:
    """One case made ready; every `seconds()` is a fresh measurement of at least `min_time`."""

    def __init__(self, statement: str, names: dict[str, Any], min_time: float) -> None:
        # timeit switches the garbage collector off, a user's program does not
        self.timer = timeit.Timer(statement, setup="import gc; gc.enable()", globals=names)
        self.number = 1
        while (elapsed := self.timer.timeit(self.number)) < min_time:
            self.number = max(2 * self.number, int(self.number * min_time / max(elapsed, 1e-9)))

    def seconds(self) -> float:
        return self.timer.timeit(self.number) / self.number


def prepare(engine: str, module: Any, case: cases.Case, smoke: bool) -> tuple[str, dict[str, Any]] | None:
    """The statement and its names on this engine; None when the engine cannot express the case."""
    size = case.smoke_size if smoke else case.size
    if engine not in FUNCTIONAL:
        return case.statement, case.setup(module, size)
    import functional_cases

    setup = functional_cases.SETUPS.get(case.name)
    return None if setup is None else ("step()", {"step": setup(module, size)})


def load(engine: str, threads: int) -> tuple[Any, str]:
    """The engine's module, or the functional engine, and its version."""
    if engine in FUNCTIONAL:
        import functional_cases

        functional = functional_cases.ENGINES[engine]()
        return functional, functional.version
    module = importlib.import_module(engine)
    if hasattr(module, "set_num_threads"):
        module.set_num_threads(threads)
    return module, getattr(module, "__version__", "")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("engine", help="tapegrad, torch, numpy_reference, jax or autograd")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="small sizes and short measurements")
    args = parser.parse_args()

    limit_threads(args.threads)
    try:
        module, version = load(args.engine, args.threads)
    except ImportError as error:
        print(json.dumps({"engine": args.engine, "missing": str(error)}), flush=True)
        return
    print(json.dumps({"engine": args.engine, "version": version}), flush=True)

    ready: tuple[str, Stopwatch | None] = ("", None)
    for line in sys.stdin:
        name = line.strip()
        if ready[0] != name:
            prepared = prepare(args.engine, module, cases.find(name), args.smoke)
            ready = (name, prepared and Stopwatch(*prepared, min_time=0.002 if args.smoke else 0.05))
        stopwatch = ready[1]
        answer = {"skipped": "no such operation"} if stopwatch is None else {"seconds": stopwatch.seconds()}
        print(json.dumps({"case": name, **answer}), flush=True)


if __name__ == "__main__":
    main()
