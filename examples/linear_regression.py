"""Fits a straight line to noisy points by gradient descent, with tensors and autograd alone.

python examples/linear_regression.py [--steps 200] [--lr 0.1] [--seed 0]
"""

from __future__ import annotations

import argparse

import tapegrad as torch


def fit(x: torch.Tensor, y: torch.Tensor, steps: int, lr: float) -> tuple[float, float]:
    """(slope, intercept) of the line through the points x, y (N) that minimises the mean squared error."""
    slope = torch.zeros((), requires_grad=True)
    intercept = torch.zeros((), requires_grad=True)
    for step in range(steps):
        loss = ((slope * x + intercept - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for parameter in (slope, intercept):
                parameter -= lr * parameter.grad
                parameter.grad = None
        if step % 50 == 0:
            print(f"step {step:4d}  loss {loss:.4f}")
    return slope.item(), intercept.item()


def main(argv: list[str] | None = None) -> tuple[float, float]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    torch.manual_seed(args.seed)
    x = torch.linspace(-1, 1, 100)
    y = 3 * x - 2 + 0.1 * torch.randn(100)
    slope, intercept = fit(x, y, args.steps, args.lr)
    print(f"fitted y = {slope:.3f} x {intercept:+.3f}; the points were made with y = 3 x - 2 and noise")
    return slope, intercept


if __name__ == "__main__":
    main()
