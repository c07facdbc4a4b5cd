"""Trains a classifier of handwritten digits in a few seconds; the data come with scikit-learn.

python examples/train_digits.py [--epochs 20] [--lr 0.05] [--seed 0] [--out digits.png]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sklearn.datasets import load_digits

import tapegrad as torch
from classifier import make_mlp, plot, split, train


def main(argv: list[str] | None = None) -> float:
    """Trains as the command line says, saves the picture, returns the test accuracy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--epochs", type=int, default=20, help="passes over the training images (default %(default)s)"
    )
    parser.add_argument("--lr", type=float, default=0.05, help="first learning rate (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="images per step (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of weights and shuffles (default %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("digits.png"), help="picture to save (default %(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    args = parser.parse_args(argv)

    torch.manual_seed(args.seed)
    digits = load_digits()
    images = torch.from_numpy(digits.data).float()
    images = (images - images.mean()) / images.std()
    labels = torch.from_numpy(digits.target).long()
    train_set, test_set = split(images, labels, test_size=360)

    model = make_mlp(64, 128, 64, 10)
    print(f"{len(train_set)} training and {len(test_set)} test images of 8x8 pixels")
    print(model)
    history = train(
        model,
        train_set,
        test_set,
        epochs=args.epochs,
        lr=args.lr,
        batch_size=args.batch_size,
        quiet=args.quiet,
    )
    accuracy = history.test_accuracy[-1]
    print(f"test accuracy {accuracy:.2%} after {args.epochs} epochs, {history.seconds:.1f} s")
    plot(history, "Scikit-learn's digits", args.out)
    print(f"saved {args.out.resolve()}")
    return accuracy


if __name__ == "__main__":
    main()
