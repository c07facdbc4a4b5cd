"""Fails if an object file of one instruction set defines a weak symbol that another may share.

The linker keeps one definition of a weak symbol. If it came from a file compiled for AVX-512, every user
of the symbol would run AVX-512 instructions, on processors that have none. So whatever is weak in these
files must carry the namespace of its instruction set in its name.

    python check_weak_symbols.py NM OBJECT...
"""

import subprocess
import sys

# The address of the exception handling routine: data, the same for every instruction set.
HARMLESS = ("DW.ref.",)


def shared_weak_symbols(nm: str, path: str) -> list[str]:
    lines = subprocess.run(
        [nm, "--defined-only", path], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    symbols = [(fields[-2], fields[-1]) for line in lines if len(fields := line.split()) >= 3]
    return [
        name
        for kind, name in symbols
        if kind in "WVu" and "isa_" not in name and not name.startswith(HARMLESS)
    ]


def main() -> int:
    nm, *paths = sys.argv[1:]
    found = {path: symbols for path in paths if (symbols := shared_weak_symbols(nm, path))}
    for path, symbols in found.items():
        print(path, *symbols, sep="\n  ")
    print(f"{len(paths)} object files, {len(found)} with weak symbols that could be shared")
    return 1 if found or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
