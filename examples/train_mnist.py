"""Trains a classifier on MNIST or a data set in the same format (Fashion-MNIST, KMNIST...).

    python examples/train_mnist.py --data DIR [--epochs 10] [--lr 0.05] [--seed 0] [--out mnist.png]

DIR holds the IDX files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
`t10k-labels-idx1-ubyte`, each as it is or with `.gz`. With only the two t10k files, four fifths of their
images are for training and the rest is for testing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import tapegrad as torch
from classifier import make_mlp, plot, split, train
from idx import load_images_and_labels
from tapegrad.utils.data import TensorDataset


def to_tensors(images: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N,H,W) of bytes as rows (N,H*W) of floats around 0, labels as int64."""
    pixels = torch.from_numpy(images.reshape(len(images), -1)).float() / 255
    return (pixels - 0.13) / 0.31, torch.from_numpy(labels).long()


def load(folder: Path) -> tuple[TensorDataset, TensorDataset]:
    """(training set, test set) from the IDX files in `folder`."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    train_files = load_images_and_labels(folder, "train")
    test_files = load_images_and_labels(folder, "t10k")
    if test_files is None:
        raise FileNotFoundError(
            f"{folder}: found neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz"
        )
    if train_files is None:
        return split(*to_tensors(*test_files), test_size=len(test_files[0]) // 5)
    return TensorDataset(*to_tensors(*train_files)), TensorDataset(*to_tensors(*test_files))


def main(argv: list[str] | None = None) -> float:
    """Trains as the command line says, saves the picture, returns the test accuracy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the IDX files")
    parser.add_argument(
        "--epochs", type=int, default=10, help="passes over the training images (default %(default)s)"
    )
    parser.add_argument("--lr", type=float, default=0.05, help="first learning rate (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=64, help="images per step (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of weights and shuffles (default %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("mnist.png"), help="picture to save (default %(default)s)"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    args = parser.parse_args(argv)

    torch.manual_seed(args.seed)
    try:
        train_set, test_set = load(args.data)
    except (OSError, ValueError) as error:
        sys.exit(f"train_mnist: {error}")

    pixels = train_set.tensors[0].shape[1]
    classes = int(train_set.tensors[1].max()) + 1
    model = make_mlp(pixels, 256, 64, classes)
    print(f"{len(train_set)} training and {len(test_set)} test images of {pixels} pixels, {classes} classes")
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
    plot(history, f"{args.data.resolve().name} ({len(train_set)} training images)", args.out)
    print(f"saved {args.out.resolve()}")
    return accuracy


if __name__ == "__main__":
    main()
