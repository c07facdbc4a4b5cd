"""How long `import tapegrad` takes after `import numpy`, each time in a fresh interpreter (target: 50 ms).

python benchmarks/import_time.py [--module torch --python /venv/bin/python] [--runs 15]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from statistics import median

TARGET_MS = 50
PROGRAM = """
import time, numpy
start = time.perf_counter()
import {module}
print(time.perf_counter() - start)
"""


def import_seconds(module: str, python: str) -> float:
    """Seconds that one fresh interpreter needs for `import module` after `import numpy`."""
    result = subprocess.run([python, "-c", PROGRAM.format(module=module)], capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(result.stderr)
    return float(result.stdout)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--module", default="tapegrad")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--runs", type=int, default=15)
    args = parser.parse_args(argv)

    import_seconds(args.module, args.python)  # fills the file cache and __pycache__
    times = [1000 * import_seconds(args.module, args.python) for _ in range(args.runs)]
    line = f"import {args.module} after numpy: {median(times):.1f} ms ({min(times):.1f} to {max(times):.1f})"
    if args.module == "tapegrad":
        line += f"; target <= {TARGET_MS} ms: {'met' if median(times) <= TARGET_MS else 'missed'}"
    print(line)


if __name__ == "__main__":
    main()
