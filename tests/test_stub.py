"""The type stub is that of the built module, and a user's program type-checks against it."""

import subprocess
import sys
from pathlib import Path

import tapegrad

ROOT = Path(__file__).parent.parent
PROGRAM = """
import tapegrad as torch
from tapegrad import nn


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    rows: int = x.shape[0]
    with torch.no_grad():
        total = torch.cat([x, x], dim=0).sum(dim=1, keepdim=True)
    return float(loss) / rows + total.mean().item()


reveal_type(torch.zeros(2, 3) @ torch.ones(3, 2))
torch.zeros(2, 3).reshape(3, 2).nosuchmethod  # any attribute is allowed: users attach their own
torch.tanh("text")
"""


def test_stub_is_up_to_date():
    result = subprocess.run([sys.executable, str(ROOT / "tools" / "make_stubs.py"), "--check"], check=False)
    assert result.returncode == 0, "run tools/make_stubs.py"


def test_user_program_type_checks(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {"PATH": ""}
    package_root = Path(tapegrad.__file__).parent.parent
    if package_root.name != "site-packages":  # mypy finds an installed package by itself, and insists on that
        environment["MYPYPATH"] = str(package_root)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--cache-dir",
        str(tmp_path / "cache"),
        "--follow-imports=silent",
    ]
    result = subprocess.run(
        [*command, str(program)], capture_output=True, text=True, check=False, env=environment, cwd=tmp_path
    )
    problems = [line for line in result.stdout.splitlines() if "error:" in line]
    assert any("Revealed type" in line and "Tensor" in line for line in result.stdout.splitlines()), (
        result.stdout + result.stderr
    )
    assert len(problems) == 1, result.stdout
    assert "tanh" in problems[0] and "str" in problems[0]
