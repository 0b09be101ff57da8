"""Trains the near heads on a net that is finished.

    python -m training.heads NET.pt EXAMPLES [EXAMPLES ...] --validation EXAMPLES --out NET.pt
                            [--most 1200] [--passes 40]

The body is run once over disturbed examples; the heads learn from what it says, which takes
minutes on one core. They say what the mouth does in the next picture, so they are heads for a look-ahead
of 40 ms. Everything else of the net stays as it was, bit by bit.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from .disturb import disturbed, log_mel, tunes
from .examples import PICTURES
from .net import Net, load, save, window
from .train import Examples, lr_at, said_loss, warped

BATCH: Final = 12
RATE: Final = 2e-3


@dataclass(frozen=True, slots=True)
class Seen:
    """What a body says of examples, and what is to be said of them.

    Attributes:
        senses: Memory and sound side by side. float16, (n, 250, 2 hidden).
        mouth: float32, (n, 250, 12).
        viseme: int64, (n, 250).
    """

    senses: Tensor
    mouth: Tensor
    viseme: Tensor

    def __len__(self) -> int:
        return len(self.senses)

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return some of it."""
        return self.senses[index].float(), self.mouth[index], self.viseme[index]


@torch.no_grad()
def seen(net: Net, made: Examples, most: int, *, seed: int = 0, plain: bool = False) -> Seen:
    """Run the body over at most so many examples, disturbed unless they are to be plain."""
    net.eval()
    bank = tunes(0)
    order = torch.randperm(len(made), generator=torch.Generator().manual_seed(seed))[:most]
    senses, mouths, visemes = [], [], []
    for start in range(0, len(order), BATCH):
        sound, mouth, viseme, _ = made.batch(order[start : start + BATCH])
        mel = log_mel(sound) if plain else warped(log_mel(disturbed(sound, bank)))
        senses.append(net.senses(window(mel, PICTURES), None)[0].half())
        mouths.append(mouth)
        visemes.append(viseme)
    return Seen(torch.cat(senses), torch.cat(mouths), torch.cat(visemes))


def losses(net: Net, senses: Tensor, mouth: Tensor, viseme: Tensor) -> dict[str, Tensor]:
    """Return the parts of what the near heads learn: at each step they speak of the next picture."""
    said, named, voiced = net.near(senses[:, :-1])
    return said_loss(said, named, voiced[..., 0], mouth[:, 1:], viseme[:, 1:])


@torch.no_grad()
def validate(net: Net, held: Seen) -> dict[str, float]:
    """Return the loss, and how often the near viseme of speech is right."""
    net.eval()
    senses, mouth, viseme = held.batch(torch.arange(len(held)))
    named, spoken = net.near(senses[:, :-1])[1].argmax(-1), viseme[:, 1:] > 0
    return {
        "loss": sum(float(part) for part in losses(net, senses, mouth, viseme).values()),
        "viseme_accuracy": float((named == viseme[:, 1:])[spoken].float().mean()),
    }


def train(net: Net, made: Seen, *, passes: int, seed: int = 0) -> None:
    """Train the near heads; nothing else is touched."""
    weights = list(net.near.parameters())
    rise = torch.optim.AdamW(weights, lr=RATE, weight_decay=1e-4)
    steps = passes * max(1, len(made) // BATCH)
    chance = torch.Generator().manual_seed(seed)
    for step in range(steps):
        for group in rise.param_groups:
            group["lr"] = lr_at(step, steps, RATE)
        index = torch.randint(0, len(made), (BATCH,), generator=chance)
        rise.zero_grad()
        torch.stack(list(losses(net, *made.batch(index)).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        rise.step()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.heads")
    parser.add_argument("net", type=Path)
    parser.add_argument("examples", type=Path, nargs="+")
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=1_200, help="examples")
    parser.add_argument("--passes", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net, progress = load(str(args.net))
    made = seen(net, Examples(args.examples), args.most)
    held = seen(net, Examples([args.validation]), args.most, plain=True)
    train(net, made, passes=args.passes)
    print({name: round(figure, 4) for name, figure in validate(net, held).items()})
    part = args.out.with_suffix(".part")
    save(net, progress, str(part))
    part.replace(args.out)


if __name__ == "__main__":
    main()
