"""Compares tapegrad with other engines: a table of time ratios, and optionally a picture.

    python benchmarks/compare.py                                    every engine that is installed, one thread
    python benchmarks/compare.py --smoke                            the same in seconds, with small sizes
    python benchmarks/compare.py --only matmul --threads 1 2        some cases, with one thread and with two
    python benchmarks/compare.py --python-for torch=/venv/bin/python --png ratios.png

Each engine runs in a process of its own. The engines take turns (A B A B ...), and a ratio is the median of
the ratios within each turn, so that a machine that slows down slows both. A ratio below 1 means tapegrad is
faster.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cases

HERE = Path(__file__).parent
SUBJECT = "tapegrad"
OTHERS = ["torch", "numpy_reference", "jax", "autograd"]


class Worker:
    """A `runner.py` process that times one engine."""

    def __init__(self, engine: str, python: str, threads: int, smoke: bool) -> None:
        command = [
            python,
            str(HERE / "runner.py"),
            engine,
            "--threads",
            str(threads),
            *(["--smoke"] if smoke else []),
        ]
        self.engine = engine
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hello = self._read()
        self.version: str | None = hello.get("version")
        self.missing: str | None = hello.get("missing")

    def _read(self) -> dict:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.engine}: the benchmark process ended with code {self.process.wait()}")
        return json.loads(line)

    def seconds(self, case: str) -> float | None:
        """Seconds per execution of the case's statement; None when the engine cannot express it."""
        assert self.process.stdin is not None
        self.process.stdin.write(case + "\n")
        self.process.stdin.flush()
        return self._read().get("seconds")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Row:
    """The measurements of one case: seconds of every round by engine."""

    case: cases.Case
    threads: int
    rounds: dict[str, list[float]]

    def time(self, engine: str) -> float:
        return median(self.rounds[engine])

    def ratio(self, engine: str) -> float:
        return median(
            ours / theirs for ours, theirs in zip(self.rounds[SUBJECT], self.rounds[engine], strict=True)
        )

    def verdict(self) -> str:
        parts = []
        for engine, target in self.case.targets.items():
            if engine in self.rounds:
                met = "met" if self.ratio(engine) <= target else "**missed**"
                parts.append(f"<= {target:g} of {engine}: {met}")
        return ", ".join(parts)


# OpenMP's and OpenBLAS's threads spin for a while after their work, on the processor that the next engine
# wants to use.
SPIN_SECONDS = 0.3


def measure(case: cases.Case, workers: list[Worker], threads: int, rounds: int) -> Row:
    times: dict[str, list[float]] = {}
    for worker in workers:  # prepares the case everywhere, so that no round pays for it
        if worker.seconds(case.name) is not None:
            times[worker.engine] = []
    for _ in range(rounds):
        for worker in workers:
            if worker.engine in times:
                if threads > 1:
                    time.sleep(SPIN_SECONDS)
                seconds = worker.seconds(case.name)
                assert seconds is not None
                times[worker.engine].append(seconds)
    return Row(case, threads, times)


def readable(seconds: float) -> str:
    for unit, scale in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def table(rows: list[Row], engines: list[str], smoke: bool) -> str:
    """The rows in Markdown: tapegrad's time, then each engine's time and the ratio tapegrad / engine."""
    head = ["case", SUBJECT, *(f"{engine} (ratio)" for engine in engines), "target"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row.case.name, readable(row.time(SUBJECT))]
        for engine in engines:
            known = engine in row.rounds
            cells.append(f"{readable(row.time(engine))} ({row.ratio(engine):.3g})" if known else "-")
        lines.append([*cells, "smoke" if smoke else row.verdict()])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(rows: list[Row], engines: list[str], path: Path) -> None:
    """Bars of the ratios, one group a case, on a logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.45 * len(rows)), layout="constrained")
    height = 0.8 / max(1, len(engines))
    for i, engine in enumerate(engines):
        known = [(k, row.ratio(engine)) for k, row in enumerate(rows) if engine in row.rounds]
        axes.barh(
            [k + i * height for k, _ in known], [ratio for _, ratio in known], height, label=f"vs {engine}"
        )
    several = len({row.threads for row in rows}) > 1
    labels = [row.case.name + (f", {row.threads} threads" if several else "") for row in rows]
    axes.set_yticks([k + 0.4 - height / 2 for k in range(len(rows))], labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("tapegrad's time / the other engine's time (left of 1: tapegrad is faster)")
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--engines", nargs="+", default=OTHERS, choices=OTHERS, help="engines to compare with"
    )
    parser.add_argument(
        "--only", default="", metavar="PATTERN", help="cases whose name or tags match this pattern"
    )
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1], help="numbers of threads to measure with"
    )
    parser.add_argument("--rounds", type=int, help="measurements of each engine and case (7, smoke 3)")
    parser.add_argument(
        "--smoke", action="store_true", help="small sizes and short measurements; ratios mean little"
    )
    parser.add_argument(
        "--python-for", action="append", default=[], metavar="ENGINE=PYTHON", help="its interpreter"
    )
    parser.add_argument("--png", type=Path, help="draw the ratios into this file (needs matplotlib)")
    parser.add_argument("--json", type=Path, help="write every measurement into this file")
    args = parser.parse_args(argv)
    args.pythons = dict(item.split("=", 1) for item in args.python_for if "=" in item)
    if len(args.pythons) != len(args.python_for) or not set(args.pythons) <= {SUBJECT, *OTHERS}:
        parser.error(f"--python-for: expected ENGINE=PYTHON with one of {', '.join([SUBJECT, *OTHERS])}")
    args.cases = [c for c in cases.CASES if re.search(args.only, " ".join([c.name, *c.tags]))]
    if not args.cases:
        parser.error(
            f"--only: no case matches {args.only!r}; there are: {', '.join(c.name for c in cases.CASES)}"
        )
    return args


def run(args: argparse.Namespace, threads: int) -> list[Row]:
    """Measures and prints one table."""
    workers = []
    for engine in [SUBJECT, *args.engines]:
        python = args.pythons.get(engine, sys.executable)
        worker = Worker(engine, python, threads, args.smoke)
        if worker.missing is None:
            workers.append(worker)
        elif engine == SUBJECT:
            raise SystemExit(f"{SUBJECT} is not installed for {python}: {worker.missing}")
        else:
            print(f"{engine}: skipped, not installed for {python} ({worker.missing})")
    versions = ", ".join(f"{worker.engine} {worker.version}".strip() for worker in workers)
    print(f"\n{threads} thread{'s' if threads > 1 else ''}; {versions}\n", flush=True)
    rounds = args.rounds or (3 if args.smoke else 7)
    rows = []
    for case in args.cases:
        rows.append(measure(case, workers, threads, rounds))
        print(f"{case.name}: {readable(rows[-1].time(SUBJECT))}", file=sys.stderr)
    for worker in workers:
        worker.close()
    print(table(rows, [worker.engine for worker in workers[1:]], args.smoke))
    return rows


def main(argv: list[str] | None = None) -> None:
    args = parse_arguments(argv)
    rows = [row for threads in args.threads for row in run(args, threads)]
    if args.json:
        data = [{"case": row.case.name, "threads": row.threads, "seconds": row.rounds} for row in rows]
        args.json.write_text(json.dumps(data, indent=1))
    if args.png:
        try:
            draw(rows, [e for e in args.engines if any(e in row.rounds for row in rows)], args.png)
            print(f"\nwrote {args.png}")
        except ImportError:
            print("\nno picture: matplotlib is not installed")


if __name__ == "__main__":
    main()
