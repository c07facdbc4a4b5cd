"""Training and judging an image classifier: shared by the digits and MNIST examples."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

import tapegrad as torch
from tapegrad import nn
from tapegrad.utils.data import DataLoader, TensorDataset


@dataclass
class History:
    """What happened in each epoch."""

    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0


def make_mlp(*sizes: int) -> nn.Sequential:
    """A fully connected network: `make_mlp(64, 128, 10)` has 64 inputs, 128 hidden units and 10 classes."""
    layers: list[nn.Module] = [nn.Linear(sizes[0], sizes[1])]
    for inputs, outputs in zip(sizes[1:], sizes[2:], strict=False):
        layers += [nn.ReLU(), nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


def split(images: torch.Tensor, labels: torch.Tensor, test_size: int) -> tuple[TensorDataset, TensorDataset]:
    """Shuffles and splits into (training set, test set of `test_size` items)."""
    order = torch.randperm(len(images))
    test, train = order[:test_size], order[test_size:]
    return TensorDataset(images[train], labels[train]), TensorDataset(images[test], labels[test])


def evaluate(model: nn.Module, dataset: TensorDataset) -> tuple[float, float]:
    """(mean loss, share of right answers) on a data set."""
    images, labels = dataset.tensors
    model.eval()
    with torch.no_grad():
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
    return loss.item(), accuracy.item()


def train(
    model: nn.Module,
    train_set: TensorDataset,
    test_set: TensorDataset,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    quiet: bool = False,
) -> History:
    """Trains with SGD and momentum, the learning rate falling linearly to zero; shows a progress bar."""
    loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=1e-4)
    history = History()
    start = time.perf_counter()
    steps, done = epochs * len(loader), 0
    with tqdm(total=steps, unit="step", disable=quiet) as progress:
        for _ in range(epochs):
            model.train()
            total = 0.0
            for images, labels in loader:
                optimizer.param_groups[0]["lr"] = lr * (1 - done / steps)
                loss = nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(images)
                done += 1
                progress.update()
            test_loss, test_accuracy = evaluate(model, test_set)
            history.train_loss.append(total / len(train_set))
            history.test_loss.append(test_loss)
            history.test_accuracy.append(test_accuracy)
            progress.set_postfix(loss=f"{history.train_loss[-1]:.4f}", accuracy=f"{test_accuracy:.2%}")
    history.seconds = time.perf_counter() - start
    return history


def plot(history: History, title: str, path: Path) -> None:
    """Saves a picture of loss and accuracy by epoch."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    epochs = range(1, len(history.train_loss) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    figure.suptitle(title)
    left.plot(epochs, history.train_loss, label="training")
    left.plot(epochs, history.test_loss, label="test")
    left.set(xlabel="epoch", ylabel="cross-entropy loss", yscale="log")
    left.legend()
    right.plot(epochs, [100 * accuracy for accuracy in history.test_accuracy])
    right.set(xlabel="epoch", ylabel="test accuracy (%)")
    right.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    plt.close(figure)
