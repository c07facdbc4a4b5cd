"""The benchmark programs run and report; what they measure decides nothing here."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import cases
import compare
import functional_cases
import import_time
import long_chain


def test_comparison_with_the_numpy_engine(tmp_path, capsys):
    measured, picture = tmp_path / "measured.json", tmp_path / "ratios.png"
    compare.main(["--smoke", "--engines", "numpy_reference", "--json", str(measured), "--png", str(picture)])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert rows[0] == "| case | tapegrad | numpy_reference (ratio) | target |"
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == [case.name for case in cases.CASES]
    data = json.loads(measured.read_text())
    assert all(len(times) == 3 and min(times) > 0 for row in data for times in row["seconds"].values())
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_an_engine_that_is_not_installed_is_left_out(tmp_path, capsys):
    missing = tmp_path / "python"
    missing.write_text(
        f'#!/bin/sh\nexec \'{sys.executable}\' -c \'print("{{\\"missing\\": \\"no torch\\"}}")\'\n'
    )
    missing.chmod(0o755)
    compare.main(["--smoke", "--only", "matmul 64", "--engines", "torch", "--python-for", f"torch={missing}"])
    printed = capsys.readouterr().out
    assert "torch: skipped, not installed" in printed
    assert "| case | tapegrad | target |" in printed


def test_wrong_arguments_are_explained(capsys):
    with pytest.raises(SystemExit):
        compare.main(["--only", "no such case"])
    assert "no case matches 'no such case'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main(["--python-for", "torch"])
    assert "expected ENGINE=PYTHON" in capsys.readouterr().err


def test_ratios_are_taken_within_rounds():
    case = cases.Case("x", "pass", dict, targets={"torch": 0.5})
    row = compare.Row(case, 1, {"tapegrad": [1.0, 20.0, 3.0], "torch": [4.0, 50.0, 4.0]})
    assert row.ratio("torch") == 0.4
    assert row.verdict() == "<= 0.5 of torch: met"
    assert (
        compare.Row(case, 1, {"tapegrad": [3.0], "torch": [4.0]}).verdict() == "<= 0.5 of torch: **missed**"
    )


def test_every_functional_case_names_a_case():
    assert set(functional_cases.SETUPS) < {case.name for case in cases.CASES}


def test_import_time(capsys):
    import_time.main(["--runs", "1"])
    assert "import tapegrad after numpy:" in capsys.readouterr().out


def test_long_chain_needs_no_stack():
    assert long_chain.run_on_small_stack(200_000).gradient == 1.0
