"""Learns to write in the style of a text file, character by character.

    python examples/char_model.py TEXTFILE [--steps 3000] [--context 12] [--length 400] [--seed 0]

A small network sees the last `context` characters, each as a learned vector, and predicts the next one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

import tapegrad as torch
from tapegrad import nn


class CharModel(nn.Module):
    """Tokens (N, context) to logits (N, characters)."""

    def __init__(self, characters: int, context: int, width: int = 16, hidden: int = 200) -> None:
        super().__init__()
        self.table = nn.Parameter(0.3 * torch.randn(characters, width))
        self.hidden = nn.Linear(context * width, hidden)
        self.out = nn.Linear(hidden, characters)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        vectors = self.table[tokens]  # (N, context) -> (N, context, width)
        return self.out(torch.tanh(self.hidden(vectors.reshape(len(tokens), -1))))


def train(
    model: CharModel, tokens: torch.Tensor, context: int, steps: int, batch: int, lr: float
) -> list[float]:
    """Takes `steps` steps on random places of the text; returns the loss of each, in nats per character."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    window = torch.arange(context)
    losses = []
    with tqdm(range(steps), unit="step") as progress:
        for _ in progress:
            start = torch.randint(len(tokens) - context, (batch, 1))
            loss = nn.functional.cross_entropy(model(tokens[start + window]), tokens[start[:, 0] + context])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            progress.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    return losses


@torch.no_grad()
def write(model: CharModel, prompt: list[int], context: int, length: int) -> list[int]:
    """Draws `length` characters one after the other from the model's predictions."""
    written = list(prompt)
    for _ in range(length):
        logits = model(torch.tensor([written[-context:]]))
        chances = torch.softmax(logits[0], dim=0).cumsum(dim=0)
        written.append(min(int((chances < torch.rand(())).sum()), len(chances) - 1))
    return written[len(prompt) :]


def main(argv: list[str] | None = None) -> list[float]:
    """Trains on the file, prints a sample, returns the losses."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path, metavar="TEXTFILE")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument(
        "--context", type=int, default=12, help="characters the model sees (default %(default)s)"
    )
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--length", type=int, default=400, help="characters to write (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    try:
        text = args.text.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"char_model: cannot read the text: {error}")
    if len(text) <= args.context:
        sys.exit(f"char_model: {args.text}: expected more than {args.context} characters, got {len(text)}")

    torch.manual_seed(args.seed)
    alphabet = sorted(set(text))
    number = {character: i for i, character in enumerate(alphabet)}
    tokens = torch.tensor([number[character] for character in text])
    model = CharModel(len(alphabet), args.context)
    losses = train(model, tokens, args.context, args.steps, args.batch_size, args.lr)
    last = sum(losses[-100:]) / len(losses[-100:])
    print(f"{len(alphabet)} characters; loss {losses[0]:.3f} -> {last:.3f} nats per character\n")
    written = write(model, tokens[: args.context].tolist(), args.context, args.length)
    print("".join(alphabet[i] for i in written))
    return losses


if __name__ == "__main__":
    main()
